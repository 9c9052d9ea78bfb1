"""The plan of a deployment: which lock counts, which work is named, and what old code fails on."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.checks.deploy_plan import Line, plans
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.patterns.revisions.missing_lock_timeout import MissingLockTimeout
from alembic_pgpatterns.patterns.revisions.rename_under_running_code import RenameUnderRunningCode
from alembic_pgpatterns.patterns.revisions.required_column_without_default import RequiredColumnWithoutDefault
from alembic_pgpatterns.revisions.commands import Command, parse
from alembic_pgpatterns.revisions.model import Lock, RevisionRun, Spot, Statement, Work
from alembic_pgpatterns.schema.model import Check, Column, DataType, Location, Name, Schema, Table

BOOK, OTHER, PART = Name("public", "book"), Name("public", "author"), Name("public", "book_2024")
EMPTY = Schema("database", ())


def statement(line: int, locks: dict[Name, str] | None = None, work: tuple[Work, ...] = ()) -> Statement:
    """A statement with locks by table. `book_2024` is a partition of `book`."""
    taken = tuple(Lock(name, mode, BOOK if name == PART else name) for name, mode in (locks or {}).items())
    return Statement("", None, Location("a.py", line), line, locks=taken, work=work)


def work(kind: Any, table: Name = BOOK, root: Name | None = None) -> Work:
    return Work(kind, table, root or table)


def run(*statements: Statement, revision: str = "a1", **changes: Any) -> RevisionRun:
    facts: dict[str, Any] = {"before": EMPTY, "after": EMPTY, **changes}
    return RevisionRun(revision, (), f"{revision}.py", statements, **facts)


def lines(*statements: Statement, **changes: Any) -> tuple[Line, ...]:
    return plans([run(*statements, **changes)], [])[0].lines


def test_the_strongest_lock_and_the_line_that_first_takes_it() -> None:
    statements = (
        statement(3, {OTHER: "SHARE", BOOK: "SHARE"}),
        statement(5, {PART: "ACCESS EXCLUSIVE"}),
        statement(7, {BOOK: "ACCESS EXCLUSIVE", OTHER: "ROW EXCLUSIVE"}),
    )
    assert lines(*statements) == (Line(OTHER, "SHARE", (), None, 3), Line(BOOK, "ACCESS EXCLUSIVE", (), None, 5))


def test_locks_that_disturb_nobody_are_left_out_unless_there_is_work() -> None:
    quiet = {BOOK: "ROW SHARE", OTHER: "ACCESS SHARE"}
    assert lines(statement(3, quiet)) == ()
    assert lines(statement(3, {BOOK: "ROW EXCLUSIVE"})) == (Line(BOOK, "ROW EXCLUSIVE", (), None, 3),)
    (line,) = lines(statement(3, quiet, (work("scan"),)))
    assert line == Line(BOOK, "ROW SHARE", ("scan under ROW SHARE",), None, 3)


def test_work_is_said_once_with_its_lock_and_the_rows() -> None:
    locks = {BOOK: "SHARE"}
    statements = (
        statement(3, locks, (work("build"), work("scan"), work("build", PART, BOOK))),
        statement(4, locks, (work("foreign key"), work("build"))),
    )
    rows = ((OTHER, 7), (BOOK, 12))
    work_under_share = ("index build under SHARE", "scan under SHARE")
    assert lines(*statements, rows=rows) == (Line(BOOK, "SHARE", work_under_share, 12, 3),)


def test_a_rewrite_contains_the_other_work_on_its_table() -> None:
    every = tuple(work(kind, table) for table in (BOOK, OTHER) for kind in ("scan", "build"))
    both = {BOOK: "ACCESS EXCLUSIVE", OTHER: "SHARE"}
    book, other = lines(statement(3, both, (*every, work("rewrite"))))
    assert book.work == ("rewrite under ACCESS EXCLUSIVE",)
    assert other.work == ("scan under SHARE", "index build under SHARE")


def test_work_without_a_lock_that_is_kept_is_a_concurrent_build() -> None:
    (line,) = lines(statement(2, {BOOK: "ROW EXCLUSIVE"}), statement(3, work=(work("build"),)))
    assert line.work == ("index build under SHARE UPDATE EXCLUSIVE",)


def finding(pattern: Any, revision: str, name: str) -> Finding:
    result: Finding = pattern().finding(Spot(name, BOOK, Location("a.py", 1), 1), "", revision=revision)
    return result


def test_what_old_code_fails_on() -> None:
    findings = [
        finding(RenameUnderRunningCode, "a1", "book.a"),
        finding(DropUnderRunningCode, "a1", "book.b"),
        finding(RenameUnderRunningCode, "a1", "book.a"),
        # Existing rows lack a value, which old code does not notice.
        finding(RequiredColumnWithoutDefault, "a1", "book.c"),
        finding(MissingLockTimeout, "a1", "book.d"),
        finding(DropUnderRunningCode, "b2", "book.e"),
    ]
    old, new = (
        Schema("database", (Table(BOOK, columns=(Column(BOOK, "f", DataType(name), True),)),))
        for name in ("int4", "text")
    )
    first, second = plans([run(before=old, after=new), run(revision="b2", database="shop")], findings)
    assert first.old_code == ("book.a", "book.b", "public.book.f")
    assert second.old_code == ("book.e",)
    assert (first.revision, first.path) == ("a1", "a1.py")
    assert (first.database, second.database) == ("", "shop")
    assert second.heading == "b2.py in database shop"


def test_one_database_is_not_named() -> None:
    same = plans([run(database="shop"), run(revision="b2", database="shop")], [])
    assert [plan.database for plan in same] == ["", ""]
    assert same[0].heading == "a1.py"


def table(*columns: Column, checks: tuple[Check, ...] = ()) -> Schema:
    return Schema("database", (Table(BOOK, columns=columns, checks=checks),))


def test_a_column_that_becomes_necessary_in_stages() -> None:
    """Old code runs on with the new column; not with the CHECK, valid or not, and not with NOT NULL after it."""
    identifier, loose, strict = (
        Column(BOOK, name, DataType("int4"), null) for name, null in (("id", False), ("floor", True), ("floor", False))
    )
    check = Check(BOOK, "c", "((floor IS NOT NULL))", validated=False)
    stages = [table(identifier), table(identifier, loose), table(identifier, loose, checks=(check,))]
    stages += [table(identifier, strict), table(identifier, strict)]
    runs = [run(revision=str(n), before=old, after=new) for n, (old, new) in enumerate(itertools.pairwise(stages))]
    said = "public.book.floor: its INSERTs lack it, so wait until only new code runs"
    assert [plan.old_code for plan in plans(runs, [])] == [(), (said,), (said,), ()]
    # The first one is deployed already: what runs knows the column, as one that may be NULL.
    nulls = "public.book.floor: where it writes NULL, so wait until only new code runs"
    assert [plan.old_code for plan in plans(runs[1:], [])] == [(nulls,), (nulls,), ()]
    trigger = replace(statement(2), tags=("CREATE TRIGGER",), tables=(BOOK,))
    filled = [replace(runs[0], statements=(trigger,)), *runs[1:]]
    assert [plan.old_code for plan in plans(filled, [])] == [(), (), (), ()]
    defaulted = replace(loose, default="1")
    stages = [table(identifier), table(identifier, defaulted), table(identifier, defaulted, checks=(check,))]
    runs = [run(revision=str(n), before=old, after=new) for n, (old, new) in enumerate(itertools.pairwise(stages))]
    assert [plan.old_code for plan in plans(runs, [])] == [(), ()]


def test_a_column_that_is_required_from_the_start() -> None:
    """Whatever the findings say; not if the database fills it, and not under a new name of an old column."""
    identifier, strict = (Column(BOOK, name, DataType("int4"), False) for name in ("id", "floor"))
    said = ("public.book.floor: its INSERTs lack it, so wait until only new code runs",)
    (plan,) = plans([run(before=table(identifier), after=table(identifier, strict))], [])
    assert plan.old_code == said
    of_domain = replace(strict, type=DataType("int4", domains=(Name("public", "level"),)))
    for filled in (replace(strict, default="1"), of_domain):
        assert plans([run(before=table(identifier), after=table(identifier, filled))], [])[0].old_code == ()
    command = Command("rename column", "", name="level", new_name="floor")
    renaming = replace(statement(2), command=command, tables=(BOOK,))
    old = table(identifier, replace(strict, name="level"))
    (plan,) = plans([run(renaming, before=old, after=table(identifier, strict))], [])
    assert plan.old_code == ()


def made(sql: str, *tables: Name) -> Statement:
    (command,) = parse(sql)
    tag = " ".join(sql.replace("OR REPLACE ", "").split()[:2])
    return replace(statement(2), sql=sql, command=command, tags=(tag,), tables=tables)


TRIGGER = made("CREATE TRIGGER t BEFORE INSERT ON book FOR EACH ROW EXECUTE FUNCTION f()", BOOK)
ELSEWHERE = made("CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION f()", OTHER)
RENAMING = made("ALTER TABLE book RENAME COLUMN level TO floor", BOOK)

EXTENSION = replace(made("CREATE EXTENSION btree_gist"), tags=("CREATE FUNCTION", "CREATE TYPE", "CREATE EXTENSION"))


def function(body: str, language: str = "plpgsql") -> Statement:
    text = f"DECLARE x int; BEGIN {body} RETURN NEW; END"
    return made(f"CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE {language} AS $$ {text} $$")


@pytest.mark.parametrize(
    ("statements", "may_run"),
    [
        # A second column's trigger fills that column alone, as a change of type makes it.
        ([function("NEW.title_new := NEW.title;"), TRIGGER], False),
        ([function("NEW.title_new := NEW.title;"), ELSEWHERE], False),
        ([function("NEW.title_new := NEW.title;")], False),
        ([function("NEW.floor := 1;"), TRIGGER], True),
        ([function("NEW.floor := 1;"), ELSEWHERE], False),
        # It may be the new text of an older trigger's function.
        ([function("NEW.floor := 1;")], True),
        ([function("SELECT 1 INTO NEW.floor;"), TRIGGER], True),
        ([function("NEW.level := 1;"), TRIGGER, RENAMING], True),
        ([function("NEW.level := 1;"), TRIGGER], False),
        # What cannot be read may do anything.
        ([function("NEW := fill(NEW);"), TRIGGER], True),
        ([function("CALL fill(NEW);"), TRIGGER], True),
        ([function("SELECT * INTO NEW FROM book;"), TRIGGER], True),
        ([function("NEW.title_new := 1;", "plpython3u"), TRIGGER], True),
        ([function("NEW.title_new := 1;", "plpython3u"), ELSEWHERE], False),
        ([TRIGGER], True),
        ([ELSEWHERE], False),
        ([replace(statement(2), sql="DO $$ BEGIN END $$", tags=("CREATE TRIGGER",))], True),
        # An extension's functions do nothing before a trigger calls them.
        ([EXTENSION], False),
        ([EXTENSION, TRIGGER], True),
        ([EXTENSION, ELSEWHERE], False),
        # It is no trigger's function.
        ([made("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")], False),
    ],
)
def test_old_code_that_a_trigger_keeps_running(statements: list[Statement], may_run: bool) -> None:
    """A trigger helps only with the columns that its function sets; other statements of a revision do not matter."""
    identifier, strict = (Column(BOOK, name, DataType("int4"), False) for name in ("id", "floor"))
    (plan,) = plans([run(*statements, before=table(identifier), after=table(identifier, strict))], [])
    said = "public.book.floor: its INSERTs lack it, so wait until only new code runs"
    assert plan.old_code == (() if may_run else (said,))
