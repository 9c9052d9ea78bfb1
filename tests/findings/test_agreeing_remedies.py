"""Index remedies of one table, followed one after the other on a model of the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.findings.together import FreeNames, agree, changed, share_indexes, stands_in
from alembic_pgpatterns.patterns import Finding, Pattern, SchemaPattern, Severity
from alembic_pgpatterns.patterns.constraints.duplicate_check import DuplicateCheck
from alembic_pgpatterns.patterns.constraints.unvalidated_constraint import UnvalidatedConstraint
from alembic_pgpatterns.patterns.indexes.redundant_index import RedundantIndex
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.remedies.model import (
    Advice,
    CreateIndex,
    DropConstraint,
    DropIndex,
    IndexedKey,
    RebuildIndex,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    ValidateConstraint,
)
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.model import (
    UNKNOWN,
    Column,
    DataType,
    ForeignKey,
    Index,
    IndexKey,
    Key,
    Name,
    Schema,
    Table,
)

ITEM, OTHER = Name("public", "item"), Name("public", "other")
BIGINT = DataType("int8", display="bigint")
TEXT = DataType("text", collation=Name("pg_catalog", "C"), display="text")
INT8_OPS = Name("pg_catalog", "int8_ops")


def key(column: str, **facts: Any) -> IndexKey:
    return IndexKey(column, type=BIGINT, opclass=INT8_OPS, opclass_default=True, collation=None, **facts)


def index(name: str, *columns: str, **facts: Any) -> Index:
    return Index(Name("public", name), ITEM, "btree", tuple(map(key, columns)), **facts)


def table(*indexes: Index, **facts: Any) -> Table:
    columns = tuple(Column(ITEM, name, BIGINT, False) for name in "abc")
    return Table(ITEM, columns=(*columns, Column(ITEM, "t", TEXT, False)), indexes=indexes, **facts)


def schema(*tables: Table) -> Schema:
    return Schema("database", tables, server_version=18)


def finding(remedy: Remedy | None, pattern: type[Pattern] = RedundantIndex, on: Name = ITEM, **changes: Any) -> Finding:
    return pattern().finding(Table(on), "", remedy).but(**changes)


def remedies(findings: list[Finding], *tables: Table, patterns: tuple[SchemaPattern, ...] = ()) -> list[Any]:
    return [item.remedy for item in agree(findings, schema(*tables), patterns)]


def drop(name: str, *columns: str) -> DropIndex:
    return DropIndex(Name("public", name), ITEM, replace(CreateIndex.on(ITEM, *columns), name=name))


def create(*columns: str, on: Name = ITEM, **facts: Any) -> CreateIndex:
    return replace(CreateIndex.on(on, *columns), **facts)


def test_the_second_of_two_indexes_that_stand_in_for_each_other_stays() -> None:
    narrow, wide = drop("i_a", "a"), drop("i_ab", "a", "b")
    first, second = remedies([finding(narrow), finding(wide)], table(index("i_a", "a"), index("i_ab", "a", "b")))
    assert first == narrow
    assert second == Advice(
        "DROP INDEX public.i_ab. Not together with redundant-index of public.item: both would leave searches that "
        "public.i_a served and searches that public.i_ab served."
    )


def test_an_index_that_nothing_replaces_is_not_dropped_alone() -> None:
    (only,) = remedies([finding(drop("i_a", "a"))], table(index("i_a", "a"), index("i_ba", "b", "a")))
    assert isinstance(only, Advice)
    assert only.text.startswith("DROP INDEX ")
    assert only.text.endswith(". That alone leaves searches that public.i_a served open: settle both in one revision.")


def test_all_that_was_dropped_before_needs_an_index_and_two_of_it_are_named() -> None:
    drops = [drop("i_a", "a"), drop("j_a", "a"), drop("k_b", "b"), drop("i_ab", "a", "b")]
    names = {"i_a": "a", "j_a": "a", "k_b": "b", "i_ab": "ab", "k_bc": "bc"}
    before = table(*(index(name, *columns) for name, columns in names.items()))
    *followed, last = remedies([finding(item) for item in drops], before)
    assert followed == drops[:-1]
    assert last.text.endswith(": both would leave searches that public.i_a served and searches that public.j_a served.")


@pytest.mark.parametrize(("predicate", "stands"), [("b > 0", True), ("b > 1", False), ("(b>0)", True)])
def test_conditions_are_compared_in_one_spelling(predicate: str, stands: bool) -> None:
    before = table(index("i", "a", predicate="(b > 0)"), index("j", "a", "c", predicate=predicate))
    (only,) = remedies([finding(drop("i", "a"))], before)
    assert isinstance(only, DropIndex) is stands


def test_what_is_gone_needs_nothing_more() -> None:
    items = [finding(drop(f"i_{name}", name), object=f"public.i_{name}") for name in "abc"]
    again = finding(drop("i_a", "a"), UnindexedForeignKey, severity=items[0].severity)
    before = table(*(index(f"i_{name}", name) for name in "abc"), *(index(f"j_{name}", name) for name in "abc"))
    assert remedies([*items, again], before)[3] == Advice(
        "Following redundant-index of public.i_b and redundant-index of public.i_c cures this as well."
    )


def test_the_worst_is_followed_first_and_a_guess_last() -> None:
    same = [finding(create("a")), finding(create("b", "a"), severity=Severity.ERROR), finding(create("c"), guess=True)]
    assert remedies(same, table()) == [create("a"), create("b", "a"), create("c")]
    order = [
        finding(drop("i_a", "a"), guess=True, severity=Severity.ERROR),
        finding(drop("j_a", "a"), severity=Severity.INFO),
        finding(drop("k_a", "a"), severity=Severity.WARNING),
    ]
    kept = remedies(order, table(index("i_a", "a"), index("j_a", "a"), index("k_a", "a")))
    assert [isinstance(item, Advice) for item in kept] == [True, False, False]
    kept = remedies(order[1:], table(index("j_a", "a"), index("k_a", "a")))
    assert [isinstance(item, Advice) for item in kept] == [True, False]


def replace_index(name: str, *columns: str) -> ReplaceIndex:
    return ReplaceIndex(Name("public", name), create("a", name=name), create(*columns))


REFERRED = Table(OTHER, columns=(Column(OTHER, "id", BIGINT, False),), primary_key=Key(OTHER, "p", ("id",), True))
FOREIGN = ForeignKey(ITEM, "f", ("a",), OTHER, ("id",), (frozenset({Name("pg_catalog", "integer_ops")}),))


def test_the_patterns_see_the_changed_table_alone_and_with_its_partitions() -> None:
    patterns = (UnindexedForeignKey(target_version=18),)
    whole = table(index("i_a", "a"), foreign_keys=(foreign("a"),), kind="partitioned")
    replaced = finding(replace_index("i_a", "b"))
    (advice,) = remedies([replaced], whole, patterns=patterns)
    assert isinstance(advice, Advice)
    part = Table(Name("public", "item_1"), partition_of=ITEM, columns=whole.columns, indexes=(index("part_a", "a"),))
    assert remedies([replaced], whole, part, patterns=patterns) == [replaced.remedy]


def foreign(columns: str) -> ForeignKey:
    return ForeignKey(ITEM, f"f_{columns}", tuple(columns), OTHER, ("id",) * len(columns))


def test_a_remedy_that_makes_a_pattern_report_something_new_becomes_advice() -> None:
    served = index("i_a", "a")
    served = replace(served, keys=(replace(served.keys[0], opfamily=Name("pg_catalog", "integer_ops")),))
    of_item = table(served, foreign_keys=(FOREIGN,))
    patterns = (UnindexedForeignKey(target_version=18),)
    (advice,) = remedies([finding(replace_index("i_a", "b"))], of_item, REFERRED, patterns=patterns)
    assert isinstance(advice, Advice)
    assert "That alone leaves unindexed-foreign-key public.item(a) open" in advice.text
    wide = (*(foreign("ab"[:length]) for length in (1, 2)), foreign("abc"))
    of_all = table(index("i_a", "a", "b", "c"), foreign_keys=wide)
    (advice,) = remedies([finding(replace_index("i_a", "t"))], of_all, REFERRED, patterns=patterns)
    open_keys = "unindexed-foreign-key public.item(a) and unindexed-foreign-key public.item(a, b)"
    assert advice.text.endswith(f". That alone leaves {open_keys} open: settle both in one revision.")
    kept = replace_index("i_a", "a", "b")
    assert remedies([finding(kept)], of_item, REFERRED, patterns=patterns) == [kept]
    # What was open before is no reason against a remedy.
    of_item = table(index("i_a", "b"), foreign_keys=(FOREIGN,))
    kept = replace_index("i_a", "c")
    assert remedies([finding(kept)], of_item, REFERRED, patterns=patterns) == [kept]


def test_only_findings_with_an_index_remedy_on_a_known_table_are_touched() -> None:
    items = [
        finding(None),
        finding(Advice("Think.")),
        finding(drop("i_x", "x"), table=None),
        finding(drop("i_x", "x"), on=Name("public", "unknown")),
    ]
    assert agree(items, schema(table()), ()) == items


def test_names_are_free_and_the_same_index_has_one() -> None:
    long, short = Name("public", "a_b"), Name("public", "a")
    tables = (Table(long, columns=()), Table(short, columns=()), Table(Name("public", "ix_a_z")))
    items = [
        finding(create("c", on=long), on=long),
        finding(create("b_c", on=short), on=short),
        finding(create("b_c", on=short), on=short),
        finding(create("z", on=short), on=short),
    ]
    names = [remedy.name for remedy in remedies(items, *tables)]
    assert names == [None, "ix_a_b_c_2", "ix_a_b_c_2", "ix_a_z_2"]


def test_one_index_with_and_without_its_usual_name_is_one() -> None:
    usual, same = create("a"), create("a", name="ix_item_a")
    assert remedies([finding(usual), finding(same)], table()) == [usual, same]
    assert remedies([finding(same), finding(usual)], table()) == [same, usual]


def test_the_names_of_existing_indexes_are_taken() -> None:
    indexes = (index("ix_item_a", "b"), index("ix_item_a_2", "c"), index("old", "b"))
    (new,) = remedies([finding(create("a"))], table(*indexes))
    assert new == create("a", name="ix_item_a_3")
    (new,) = remedies([finding(replace_index("old", "a"))], table(*indexes))
    assert new.new == create("a", name="ix_item_a_3")


def test_what_is_dropped_is_not_validated() -> None:
    dropped = finding(DropConstraint(ITEM, "k", "CHECK (true)"), DuplicateCheck)
    items = [
        finding(ValidateConstraint(ITEM, name), UnvalidatedConstraint, on=on)
        for name, on in (("k", ITEM), ("other", ITEM))
    ]
    elsewhere = finding(ValidateConstraint(OTHER, "k"), UnvalidatedConstraint, on=OTHER)
    advice, other, of_other = remedies([*items, elsewhere, dropped], table())[:3]
    assert advice == Advice("It goes if you follow duplicate-check; validate it only if you keep it.")
    assert other == items[1].remedy
    assert of_other == elsewhere.remedy


@pytest.mark.parametrize(
    ("new", "stands"),
    [
        (index("n", "a", "b"), True),
        (index("n", "a", "b", "c"), True),
        (index("n", "a"), False),
        (index("n", "b", "a"), False),
        (index("n", "a", "b", predicate="a > 0"), False),
        (replace(index("n", "a", "b"), method="hash"), False),
        (replace(index("n"), keys=(key("a"), key("b", descending=True))), False),
        (replace(index("n"), keys=(key("a"), key("b", nulls_first=True))), False),
        (replace(index("n"), keys=(key("a"), replace(key("b"), opclass_default=False))), False),
        (replace(index("n"), keys=(key("a"), replace(key("b"), opclass=UNKNOWN))), True),
        (replace(index("n"), keys=(key("a"), replace(key("b"), column=None, expression="b + 1"))), False),
    ],
)
def test_which_index_serves_the_searches_of_another(new: Index, stands: bool) -> None:
    assert stands_in(new, index("o", "a", "b")) is stands


def test_an_index_of_all_rows_or_the_same_rows_stands_in_for_one_of_some() -> None:
    old = index("o", "a", predicate="b > 0")
    assert stands_in(index("n", "a"), old)
    assert stands_in(index("n", "a", predicate="b > 0"), old)
    assert not stands_in(index("n", "a", predicate="b > 1"), old)


def names(after: Table | None) -> list[str]:
    assert after is not None
    return [item.name.name for item in after.indexes]


def test_a_table_after_a_remedy() -> None:
    before = table(index("i", "a"), index("j", "b"))
    assert names(changed(before, create("c"))) == ["i", "j", "ix_item_c"]
    assert changed(before, create("c", name="j")) is before
    assert names(changed(before, drop("i", "a"))) == ["j"]
    assert names(changed(before, replace_index("i", "c"))) == ["j", "ix_item_c"]
    rebuilt = RebuildIndex(Name("public", "i"), ITEM, create("a", name="i"))
    assert names(changed(before, rebuilt)) == ["j", "i"]
    for remedy in (drop("x", "a"), replace_index("x", "c"), RebuildIndex(Name("public", "x"), ITEM, create("a"))):
        assert changed(before, remedy) is None


def unique(name: str, *columns: str) -> Key:
    return Key(ITEM, name, columns, False, index=name)


def test_a_table_after_a_unique_rule_was_replaced() -> None:
    new = create("a", unique=True, where="b > 0", name="n")
    rules = (unique("u", "a"), unique("v", "b"))
    before = table(index("u", "a", unique=True), index("v", "b", unique=True), unique_constraints=rules)
    after = changed(before, ReplaceUnique(ITEM, "u", ("a",), new))
    assert after is not None
    assert (names(after), after.unique_constraints) == (["v", "n"], rules[1:])
    assert changed(before, ReplaceUnique(ITEM, "u", ("c",), new)) is None
    plain = table(index("i", "a", unique=True), index("j", "a"), index("k", "b", unique=True))
    assert names(changed(plain, ReplaceUnique(ITEM, None, ("a",), new))) == ["j", "k", "n"]
    assert changed(plain, ReplaceUnique(ITEM, None, ("c",), new)) is None


def test_a_new_index_is_what_the_catalog_would_show() -> None:
    keys = (
        IndexedKey("a"),
        IndexedKey("b", descending=True),
        IndexedKey("c", nulls_first=True),
        IndexedKey("t", opclass="text_pattern_ops", collation=Name("pg_catalog", "POSIX")),
        IndexedKey("t"),
        IndexedKey(expression="lower(t)"),
    )
    facts: dict[str, Any] = {"unique": True, "nulls_not_distinct": True}
    new = CreateIndex(ITEM, keys, name="n", include=("c",), where="b  >  0", **facts)
    after = changed(table(), new)
    assert after is not None
    family = Name("pg_catalog", "integer_ops")
    plain = replace(key("a"), opfamily=family)
    text = IndexKey("t", type=TEXT, opclass=Name("pg_catalog", "text_ops"), opclass_default=True)
    text = replace(text, opfamily=Name("pg_catalog", "text_ops"), collation=TEXT.collation)
    pattern = replace(text, opclass=Name("pg_catalog", "text_pattern_ops"), opclass_default=False, opfamily=UNKNOWN)
    expected = (
        plain,
        replace(plain, column="b", descending=True, nulls_first=True),
        replace(plain, column="c", nulls_first=True),
        replace(pattern, collation=Name("pg_catalog", "POSIX")),
        text,
        IndexKey(None, "lower(t)", UNKNOWN, UNKNOWN, True, UNKNOWN, Name("pg_catalog", "default")),
    )
    assert after.indexes == (
        Index(Name("public", "n"), ITEM, "btree", expected, include=("c",), predicate="b > 0", **facts),
    )


def test_new_indexes_are_shared_only_if_they_are_of_one_kind() -> None:
    def shared(*proposed: Remedy | None) -> list[Any]:
        return [item.remedy for item in share_indexes([finding(remedy) for remedy in proposed])]

    short, wide = create("a"), create("a", "b")
    assert shared(short, wide) == [wide, wide]
    for other in (
        create("a", "b", unique=True),
        create("a", "b", where="b > 0"),
        create("a", "b", method="gist"),
        create("a", "b", options=(("fillfactor", "70"),)),
        drop("i", "a"),
        None,
    ):
        assert shared(short, other) == [short, other]
    including = create("a", include=("b",))
    assert shared(short, including) == [including, including]
    assert shared(including, wide) == [wide, wide]
    assert shared(including, create("a", "c")) == [including, create("a", "c")]
    # Of two wider ones the one with more columns, then by name.
    assert shared(short, wide, create("a", "c", include=("b",)))[0] == create("a", "c", include=("b",))
    assert shared(short, create("a", "c"), wide)[0] == create("a", "c")


def test_indexes_that_differ_in_their_operator_class_alone_have_names_of_their_own() -> None:
    names = FreeNames(schema(table()))
    plain, pattern = (CreateIndex(ITEM, (IndexedKey("t", opclass=name),)) for name in (None, "text_pattern_ops"))
    found = [index_name(names.free(each)) for each in (plain, pattern, plain)]
    assert found == ["ix_item_t", "ix_item_t_2", "ix_item_t"]
