"""A report in words: which findings come first, what is counted, what was not checked and what was looked at."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.patterns.types.integer_primary_key import IntegerPrimaryKey
from alembic_pgpatterns.patterns.types.varchar_length import VarcharLength
from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    DropIndex,
    Remedy,
    SetNotNull,
    Statements,
    TypeChange,
    ValidateConstraint,
)
from alembic_pgpatterns.report.words import (
    count_line,
    fix_lines,
    fixable,
    foremost,
    looked_at,
    place,
    skipped_lines,
    skipped_texts,
)
from alembic_pgpatterns.schema.model import Location, Name, Table

BOOK = Name("public", "book")
INDEX = CreateIndex.on(BOOK, "author_id")


def finding(pattern: str = UnindexedForeignKey.name, severity: Severity = Severity.WARNING, at: str = "a") -> Finding:
    return Finding(pattern, severity, at, f"{at} is wrong", f"{pattern} {at}", BOOK)


def test_the_first_of_each_pattern_comes_before_the_second_of_any() -> None:
    keys = [finding(at=f"key {number}") for number in range(4)]
    lengths = [finding(VarcharLength.name, at=f"length {number}") for number in range(2)]
    every = [*keys, *lengths]
    assert foremost(every, 0) == []
    assert foremost(every, 1) == [keys[0]]
    assert foremost(every, 3) == [*keys[:2], keys[2]], "a pattern that costs more is shown whole first"
    assert foremost(every, 9) == every
    dear = [finding(MissingPrimaryKey.name, at=f"table {number}") for number in range(3)]
    other = finding("model-drift", at="column")
    assert foremost([*dear, other], 2) == [dear[0], other]
    assert foremost([*dear, other], 3) == [*dear[:2], other], "in their own order"


def test_the_second_of_each_pattern_comes_before_the_third_of_any() -> None:
    tables = [finding(MissingPrimaryKey.name, at=f"table {number}") for number in range(4)]
    columns = [finding("model-drift", at=f"column {number}") for number in range(4)]
    assert foremost([*tables, *columns], 4) == [*tables[:2], *columns[:2]]
    assert foremost([*tables, *columns], 7) == [*tables, *columns[:3]]


@pytest.mark.parametrize(
    "location,revision,expected",
    [
        (None, None, ""),
        (Location("a.py", 3), None, "a.py:3"),
        (None, "a1", "revision a1"),
        (Location("a\nb.py", 3), "a1", "a␤b.py:3, revision a1"),
    ],
)
def test_place(location: Location | None, revision: str | None, expected: str) -> None:
    assert place(finding().but(location=location, revision=revision)) == expected


def test_a_fix_is_sql_only_if_models_have_no_line_for_it() -> None:
    assert fix_lines(finding()) == ()
    validate = finding().but(remedy=ValidateConstraint(BOOK, "positive"))
    assert fix_lines(validate) == ("ALTER TABLE public.book VALIDATE CONSTRAINT positive;",)
    assert fix_lines(validate.but(also=(validate, finding().but(remedy=INDEX)))) == (
        "ALTER TABLE public.book VALIDATE CONSTRAINT positive;",
        *fix_lines(finding().but(remedy=INDEX)),
    ), "each line once"


def changes(number: int, rewrites: bool) -> ChangeType:
    return ChangeType(tuple(TypeChange(BOOK, f"c{place}", "integer", "bigint") for place in range(number)), rewrites)


@pytest.mark.parametrize(
    "remedy,expected",
    [
        (INDEX, True),
        (SetNotNull(BOOK, "title"), True),
        (None, False),
        (Statements(("DROP TABLE book",)), False),
        (changes(1, rewrites=True), True),
        (changes(2, rewrites=True), False),
        (changes(2, rewrites=False), True),
    ],
)
def test_what_pgfix_is_said_to_fix(remedy: Remedy | None, expected: bool) -> None:
    item = finding().but(remedy=remedy)
    assert fixable(Report((item,))) == ((item,) if expected else ())
    assert fixable(Report((item,), fixable=False)) == ()


def test_pgfix_is_not_said_to_fix_guesses_and_integer_keys() -> None:
    drop = finding().but(remedy=DropIndex(Name("public", "i"), BOOK, INDEX))
    guess = drop.but(remedy=DropIndex(Name("public", "j"), BOOK, INDEX), table=Name("public", "b"), guess=True)
    key = finding(IntegerPrimaryKey.name, at="c").but(remedy=changes(1, rewrites=False))
    assert fixable(Report((drop, guess, key))) == (drop,)


def test_count_line_of_nothing() -> None:
    assert count_line(Report()) == "no findings"
    assert count_line(Report(suppressed=1)) == "no findings; 1 suppressed in models or revisions"
    missed = (Skipped("server", "off"), Skipped("rows", "chosen", expected=True), Skipped("models", "broken"))
    routine = Skipped("the rest", "always", expected=True, routine=True)
    assert count_line(Report(skipped=(*missed, routine))) == "no findings; not checked: server, models; skipped: rows"


def test_count_line_has_one_and_many_of_each_severity() -> None:
    of_table = [MissingPrimaryKey().finding(Table(Name("public", name)), name) for name in "abc"]
    first, second, third = (item.but(severity=Severity.INFO) for item in of_table)
    assert count_line(Report((of_table[0],))) == "1 finding (1 error)"
    assert count_line(Report((of_table[0], of_table[1]))) == "2 findings (2 errors)"
    assert count_line(Report((first,))) == "1 finding (1 info)"
    mixed = Report((of_table[0], of_table[1].but(severity=Severity.WARNING), first, second, third))
    assert count_line(mixed) == "5 findings (1 error, 1 warning, 3 info)"


def test_count_line_says_in_how_many_places_one_cause_is() -> None:
    alike = [finding(at=name).but(location=Location("mixin.py", 3)) for name in "abc"]
    assert count_line(Report(tuple(alike))) == "1 finding (1 warning), 3 with all repetitions"
    assert count_line(Report(tuple(alike), accepted=(finding(),))).endswith(
        ", 3 with all repetitions; 1 accepted by the baseline"
    )


def test_what_was_skipped_for_one_reason_is_one_line() -> None:
    items = [Skipped("b", "off"), Skipped("c", "chosen", expected=True), Skipped("d", "dead"), Skipped("a", "off")]
    assert list(skipped_lines(items)) == [("d: dead", True), ("b, a: off", True), ("c: chosen", False)]


def test_lines_of_a_reason_are_kept_where_there_are_lines() -> None:
    item = Skipped("models", "env.py failed\nAdd this:\n[tool.x]\nenv = { A = 1 }\x1b")
    assert list(skipped_lines([item])) == [("models: env.py failed Add this: [tool.x] env = { A = 1 }\u241b", True)]
    lines = ["models: env.py failed", "Add this:", "[tool.x]", "env = { A = 1 }\u241b"]
    assert list(skipped_texts([item])) == [(lines, True)]


@pytest.mark.parametrize("number,more", [(6, ""), (7, " and 1 more"), (8, " and 2 more")])
def test_six_of_what_was_skipped_are_named(number: int, more: str) -> None:
    expected = f"0, 1, 2, 3, 4, 5{more}"
    items = [Skipped(str(place), "off") for place in range(number)]
    assert list(skipped_lines(items)) == [(f"{expected}: off", True)]
    assert count_line(Report(skipped=tuple(items))) == f"no findings; not checked: {expected}"


@pytest.mark.parametrize(
    "facts,expected",
    [
        ({"tables": 1, "revisions": 2, "server": "PostgreSQL 18"}, "2 revisions, 1 table on PostgreSQL 18"),
        ({"revisions": 1, "tables": 0}, "1 revision, 0 tables on no server"),
        ({"tables": 2, "models": 3}, "2 tables on no server"),
    ],
)
def test_looked_at(facts: dict[str, object], expected: str) -> None:
    assert looked_at(Report(facts=facts)) == expected
