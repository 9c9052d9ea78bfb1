"""What patterns of revisions and of rehearsals decide, on runs written by hand: nothing is run, no server is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.revisions.model import (
    Downgrade,
    Statement,
    Work,
)
from alembic_pgpatterns.revisions.unfilled import heading
from alembic_pgpatterns.schema.model import (
    Column,
    DataType,
    Location,
    Name,
    Schema,
)
from tests.patterns.handmade import column
from tests.patterns.handmade_runs import (
    AUTHOR,
    BEFORE,
    BOOK,
    BOOKS,
    EXCLUSIVE,
    KEY_LOCK,
    LIGHT,
    NEW,
    SHARE,
    found,
    run,
    step,
    text,
)

pytestmark = pytest.mark.usefixtures("held_messages")


def without(*columns: str) -> Schema:
    """The schema after columns of book are gone."""
    book = replace(BOOKS[0], columns=tuple(item for item in BOOKS[0].columns if item.name not in columns))
    return replace(BEFORE, tables=(book, *BOOKS[1:]))


def with_column(*columns: Column, of_table: int = 0) -> Schema:
    changed = BOOKS[of_table]
    added = tuple(replace(item, table=changed.name) for item in columns)
    kept = tuple(item for item in changed.columns if item.name not in {new.name for new in added})
    tables = list(BOOKS)
    tables[of_table] = replace(changed, columns=(*kept, *added))
    return replace(BEFORE, tables=tuple(tables))


DROP = "ALTER TABLE book DROP COLUMN title"
NO_TABLES = replace(BEFORE, tables=(), views=())


@pytest.mark.parametrize(
    ("statement", "after", "expected"),
    [
        (step(DROP, BOOK), without("title"), ["public.book.title"]),
        (step('ALTER TABLE book DROP COLUMN "Kind"', BOOK), without("Kind"), ['public.book."Kind"']),
        (step(DROP, BOOK, error="42703"), without("title"), []),
        (step(DROP, BOOK), BEFORE, []),
        (step("ALTER TABLE book DROP COLUMN gone", BOOK), BEFORE, []),
        (step(DROP, BOOK), NO_TABLES, []),
        (step(DROP, NEW), BEFORE, []),
        (step(DROP, None), without("title"), []),
        (step("DROP TABLE book, fresh", BOOK, None), NO_TABLES, ["public.book"]),
        (step("DROP TABLE book", BOOK), BEFORE, []),
        (step("DROP TABLE book", BOOK, error="2BP01"), NO_TABLES, []),
        (step("DROP VIEW titles", Name("public", "titles")), NO_TABLES, ["public.titles"]),
        (step("DROP VIEW titles", Name("public", "titles")), BEFORE, []),
        (step("DROP MATERIALIZED VIEW titles", Name("public", "titles")), NO_TABLES, ["public.titles"]),
        (step("DROP INDEX i", Name("public", "titles")), NO_TABLES, []),
        (step("nonsense", BOOK), NO_TABLES, []),
    ],
)
def test_what_is_dropped(statement: Statement, after: Schema, expected: list[str]) -> None:
    assert [item.object for item in found("drop-under-running-code", run(statement, after=after))] == expected


RENAMED = with_column(text("headline"))
GONE = replace(without("title"), tables=(*without("title").tables,))


@pytest.mark.parametrize(
    ("sql", "name", "after", "expected"),
    [
        ("ALTER TABLE book RENAME COLUMN title TO headline", BOOK, without("title"), ["public.book.title"]),
        ('ALTER TABLE book RENAME COLUMN title TO "Head"', BOOK, without("title"), ["public.book.title"]),
        ("ALTER TABLE book RENAME COLUMN title TO headline", BOOK, BEFORE, []),
        ("ALTER TABLE book RENAME COLUMN gone TO headline", BOOK, BEFORE, []),
        ("ALTER TABLE book RENAME COLUMN title TO headline", NEW, BEFORE, []),
        ("ALTER TABLE book RENAME COLUMN title TO headline", None, without("title"), []),
        ("ALTER TABLE book RENAME TO tome", BOOK, NO_TABLES, ["public.book"]),
        ("ALTER TABLE book RENAME TO tome", BOOK, BEFORE, []),
        ("ALTER TABLE fresh RENAME TO tome", NEW, NO_TABLES, []),
        ("ALTER VIEW titles RENAME TO t", Name("public", "titles"), NO_TABLES, ["public.titles"]),
        ("ALTER TABLE book SET SCHEMA app", BOOK, NO_TABLES, ["public.book"]),
        ("ALTER INDEX i RENAME TO j", BOOK, NO_TABLES, []),
        ("ALTER TABLE book ADD COLUMN x int", BOOK, NO_TABLES, []),
    ],
)
def test_what_is_renamed(sql: str, name: Name | None, after: Schema, expected: list[str]) -> None:
    assert [item.object for item in found("rename-under-running-code", run(step(sql, name), after=after))] == expected
    assert found("rename-under-running-code", run(step(sql, name, error="42P01"), after=after)) == []


def test_a_rename_that_ends_a_trigger_keeps_old_code_running() -> None:
    rename = step("ALTER TABLE book RENAME COLUMN title TO code", BOOK)
    trigger = step("DROP TRIGGER keep ON book", BOOK)
    assert found("rename-under-running-code", run(trigger, rename, after=without("title"))) == []
    for other in (replace(trigger, error="42704"), replace(trigger, tables=(AUTHOR,)), step("nonsense", BOOK)):
        assert len(found("rename-under-running-code", run(other, rename, after=without("title")))) == 1
    fresh = step("ALTER TABLE book RENAME COLUMN title TO headline", BOOK)
    assert len(found("rename-under-running-code", run(trigger, fresh, after=without("title")))) == 1


REQUIRED = "ALTER TABLE book ADD COLUMN kind text NOT NULL"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], 1),
        ([step("TRUNCATE book", BOOK)], 0),
        ([step("DELETE FROM book", BOOK)], 0),
        ([step("DELETE FROM book WHERE id = 1", BOOK)], 1),
        ([step("TRUNCATE author", AUTHOR)], 1),
        ([step("UPDATE book SET id = 1", BOOK)], 1),
        ([step("nonsense", BOOK), step("SELECT 1")], 1),
    ],
)
def test_a_required_column_on_rows(before: list[Statement], expected: int) -> None:
    adding = step(REQUIRED, BOOK)
    assert len(found("required-column-without-default", run(*before, adding))) == expected
    assert len(found("required-column-without-default", run(adding, *before))) == 1
    assert found("required-column-without-default", run(adding, rows=((BOOK, 0),))) == []
    assert len(found("required-column-without-default", run(adding, rows=((BOOK, 1), (AUTHOR, 0))))) == 1
    assert found("required-column-without-default", run(step(REQUIRED, NEW))) == []


STRICT = replace(text("kind"), nullable=False)
ADDED = step("ALTER TABLE book ADD COLUMN kind text NOT NULL DEFAULT 'x'", BOOK, line=5)
ALSO = step("ALTER TABLE book ADD COLUMN sort text NOT NULL DEFAULT 'x'", BOOK, line=6)
NOT_NULL = step("ALTER TABLE book ALTER COLUMN kind SET NOT NULL", BOOK, line=7)


@pytest.mark.parametrize(
    ("statements", "columns", "expected"),
    [
        ([ADDED], [STRICT], ["kind of public.book is new"]),
        ([ADDED, ALSO], [STRICT, replace(STRICT, name="sort")], ["kind, sort of public.book are new"]),
        ([step("ALTER TABLE book ADD COLUMN kind text", BOOK), NOT_NULL], [STRICT], ["kind of public.book is new"]),
        (
            [step("ALTER TABLE book ADD CONSTRAINT c NOT NULL kind", BOOK)],
            [STRICT],
            ["kind of public.book is new"],
        ),
        ([step("ALTER TABLE book ADD CONSTRAINT c CHECK (kind > '')", BOOK)], [STRICT], []),
        ([step("ALTER TABLE author ADD COLUMN kind text", AUTHOR)], [STRICT], []),
        ([ADDED], [replace(STRICT, nullable=True)], []),
        ([ADDED], [replace(STRICT, default="'x'")], []),
        ([ADDED], [replace(STRICT, type=DataType("varchar", display="v", domains=(Name("public", "d"),)))], []),
        ([ADDED, replace(ADDED, tags=("CREATE TRIGGER",))], [STRICT], []),
        ([ADDED, replace(ADDED, tags=("CREATE FUNCTION",))], [STRICT], []),
        ([ADDED, replace(ADDED, tags=("CREATE VIEW",))], [STRICT], ["kind of public.book is new"]),
        (
            [
                step("ALTER TABLE book ADD COLUMN temp text", BOOK),
                step("ALTER TABLE book ALTER COLUMN temp SET NOT NULL", BOOK),
                step("ALTER TABLE book RENAME COLUMN temp TO kind", BOOK),
            ],
            [STRICT],
            ["kind of public.book is new"],
        ),
        (
            [NOT_NULL, step("ALTER TABLE book RENAME COLUMN title TO kind", BOOK)],
            [STRICT],
            [],
        ),
    ],
)
def test_a_column_that_old_code_does_not_fill(
    statements: list[Statement], columns: list[Column], expected: list[str]
) -> None:
    findings = found("required-column-without-default", run(*statements, after=with_column(*columns)))
    assert [item.message.partition(", NOT NULL")[0] for item in findings] == expected


UNFILLED = [
    (heading(None, "book", "kind"), [], 1),
    (heading("public", "book", "kind"), [], 1),
    (heading("app", "book", "kind"), [], 0),
    (heading(None, "book", "sort"), [], 0),
    (f'WORDS = "{heading(None, "book", "kind")}"', [], 0),
    ("# nothing is left", [], 0),
    *(
        (heading(None, "book", "kind"), [sql], expected)
        for sql, expected in {
            "ALTER TABLE book ADD CONSTRAINT c CHECK (kind IS NOT NULL) NOT VALID": 1,
            "UPDATE book SET code = 'x'": 1,
            "UPDATE book SET kind = 'x'": 0,
            "UPDATE book SET (kind, code) = (SELECT 'x', 'y')": 0,
            backfill(None, "book", "code", "'x'"): 1,
            backfill(None, "book", "kind", "'x'"): 0,
            "DO $$ BEGIN LOCK TABLE book; PERFORM pg_sleep(1); END $$": 1,
            "DO $$ BEGIN PERFORM fill(); END $$": 0,
            "DO $$ BEGIN EXECUTE concat('UPDATE ', 'book'); END $$": 0,
            "DO LANGUAGE plpython3u $$ fill() $$": 0,
            # What a revision with a second column checks before it fills that.
            "DO $$ BEGIN IF EXISTS (SELECT pg_get_triggerdef(oid) FROM pg_trigger) THEN RAISE 'x'; END IF; END $$": 1,
            "SELECT 1": 1,
            "SELECT set_config('lock_timeout', '0', true)": 1,
            "WITH changed AS (UPDATE book SET kind = 'x' RETURNING id) SELECT * FROM changed": 0,
            "SELECT fill()": 0,
            "SHOW transaction isolation level": 1,
            "CALL fill()": 0,
            "nonsense": 0,
        }.items()
    ),
]


@pytest.mark.parametrize(("comment", "statements", "expected"), UNFILLED)
def test_a_comment_that_nobody_has_completed(
    comment: str, statements: list[str], expected: int, tmp_path: Path
) -> None:
    file = tmp_path / "r1.py"
    file.write_text(f"def upgrade():\n    {comment} In batches:\n    #   UPDATE ...\n")
    steps = [step(sql, BOOK) for sql in statements]
    traced = replace(run(*steps, before=with_column(text("kind")), after=with_column(text("kind"))), path=str(file))
    findings = found("required-column-without-default", traced)
    assert [item.severity for item in findings] == [Severity.WARNING] * expected
    assert [item.location and item.location.line for item in findings] == [2] * expected
    assert found("required-column-without-default", replace(traced, rows=((BOOK, 0),))) == []
    assert found("required-column-without-default", replace(traced, path=str(tmp_path / "gone.py"))) == []


def test_partitions_and_dropped_tables_are_not_asked_for_their_columns() -> None:
    part = replace(BOOKS[0], partition_of=AUTHOR)
    before = replace(BEFORE, tables=(part,))
    after = replace(before, tables=(replace(part, columns=(*part.columns, replace(STRICT, table=BOOK))),))
    assert found("required-column-without-default", run(ADDED, before=before, after=after)) == []
    assert found("required-column-without-default", run(ADDED, after=NO_TABLES)) == []


def rewritten(sql: str, *, after: Schema = BEFORE, mode: str = EXCLUSIVE, **facts: Any) -> list[Finding]:
    facts.setdefault("work", [("rewrite", BOOK)])
    statement = step(sql, BOOK, locks=[(mode, BOOK)] if mode else [], **facts)
    return found("table-rewrite", run(statement, after=after))


@pytest.mark.parametrize(
    ("sql", "after", "expected"),
    [
        ("ALTER TABLE book ALTER pages TYPE bigint", with_column(column("pages", "int8")), "from int4 to int8"),
        ("ALTER TABLE book ALTER title TYPE varchar(9)", with_column(text("title", 9)), "which fails where a value"),
        ("ALTER TABLE book ALTER code TYPE varchar(5)", with_column(text("code", 5)), "which fails where a value"),
        (
            "ALTER TABLE book ALTER code TYPE varchar(9)",
            with_column(text("code", 9)),
            "from varchar(9) to varchar(9)) u",
        ),
        ("ALTER TABLE book ALTER code TYPE varchar(12)", with_column(text("code", 12)), "to varchar(12)) under"),
        ("ALTER TABLE book ALTER code TYPE varchar", with_column(text("code")), "to varchar) under"),
        (
            "ALTER TABLE book ALTER title TYPE varchar(9) USING left(title, 9)",
            with_column(text("title", 9)),
            "to varchar(9)) under",
        ),
        ("ALTER TABLE book ALTER pages TYPE varchar(9)", with_column(text("pages", 9)), "to varchar(9)) under"),
        ("ALTER TABLE book ALTER gone TYPE bigint", BEFORE, "from ? to bigint"),
        (
            "ALTER TABLE book ADD COLUMN x uuid DEFAULT gen_random_uuid()",
            BEFORE,
            "new column x: default gen_random_uuid()",
        ),
        ("ALTER TABLE book ADD COLUMN x bigserial", BEFORE, "new column x: serial"),
        (
            "ALTER TABLE book ADD COLUMN x int GENERATED ALWAYS AS (pages + 1) STORED",
            BEFORE,
            "new column x: stored",
        ),
        ("ALTER TABLE book ADD COLUMN x public.short", BEFORE, "new column x: public.short"),
        ("ALTER TABLE book SET UNLOGGED", BEFORE, "(SET UNLOGGED)"),
        ("ALTER TABLE book SET TABLESPACE fast", BEFORE, "(SET TABLESPACE)"),
        ("ALTER TABLE book ADD CHECK (true), SET ACCESS METHOD heap", BEFORE, "(SET ACCESS METHOD)"),
        ("ALTER TABLE book ADD y int, ALTER pages TYPE bigint", with_column(column("pages", "int8")), "type of pages"),
        ("VACUUM FULL book", BEFORE, "(VACUUM FULL)"),
        ("CLUSTER book USING i", BEFORE, "(CLUSTER)"),
        ("REFRESH MATERIALIZED VIEW book", BEFORE, "(REFRESH MATERIALIZED VIEW)"),
        ("INSERT INTO fresh SELECT * FROM book", BEFORE, "(copied into a table that replaces it)"),
        ("SELECT f()", BEFORE, "(SELECT)"),
        ("nonsense", BEFORE, "(by a function)"),
    ],
)
def test_rewrites(sql: str, after: Schema, expected: str) -> None:
    (finding,) = rewritten(sql, after=after)
    assert expected in finding.message
    assert rewritten(sql, after=after, work=[("scan", BOOK)]) == []


def test_how_a_rewrite_blocks() -> None:
    sql = "INSERT INTO fresh SELECT * FROM book"
    (free,), (alone,) = rewritten(sql, mode="ACCESS SHARE"), rewritten(sql, mode="")
    assert free.message.endswith("rows that are written after it are lost")
    assert "under ACCESS EXCLUSIVE" in alone.message


@pytest.mark.parametrize(
    ("old", "new", "using", "expected"),
    [
        ("timestamp", "timestamptz", "", True),
        ("timestamp", "timestamptz", "USING came AT TIME ZONE 'UTC'", True),
        ("timestamp", "timestamptz", "USING came AT TIME ZONE 'Europe/Berlin'", False),
        ("timestamptz", "timestamp", "", False),
        ("timestamp", "date", "", False),
    ],
)
def test_stored_values_that_are_utc(old: str, new: str, using: str, expected: bool) -> None:
    before = with_column(column("came", old))
    statement = step(f"ALTER TABLE book ALTER came TYPE {new} {using}", BOOK, work=[("rewrite", BOOK)])
    (finding,) = found("table-rewrite", run(statement, before=before, after=with_column(column("came", new))))
    assert ("SET LOCAL timezone" in str(finding.remedy)) is expected


@pytest.mark.parametrize(
    ("sql", "facts", "expected"),
    [
        ("CREATE INDEX i ON book (a)", {}, "building i keeps SHARE on public.book until it is done: writes wait"),
        ("CREATE INDEX IF NOT EXISTS i ON book (a)", {}, "building i keeps SHARE"),
        ("CREATE INDEX i ON book (a)", {"held": [(EXCLUSIVE, BOOK)]}, "i is built while this transaction holds ACCESS"),
        ("CREATE INDEX i ON book (a)", {"held": [(EXCLUSIVE, AUTHOR)]}, "building i keeps SHARE"),
        ("CREATE INDEX i ON book (a)", {"locks": []}, "building i keeps SHARE"),
        ("REINDEX TABLE book", {}, "building i keeps SHARE"),
        ("REINDEX INDEX i", {"locks": [(EXCLUSIVE, BOOK)]}, "building i keeps ACCESS EXCLUSIVE on public.book"),
        ("DO $$BEGIN PERFORM f(); END$$", {}, "building i keeps SHARE"),
        ("CALL f()", {}, "building i keeps SHARE"),
        ("nonsense", {}, "building i keeps SHARE"),
        ("CREATE INDEX CONCURRENTLY i ON book (a)", {}, None),
        ("ALTER TABLE book ADD UNIQUE (a)", {}, None),
        ("CREATE INDEX i ON book (a)", {"work": [("scan", BOOK, "i")]}, None),
    ],
)
def test_index_builds(sql: str, facts: dict[str, Any], expected: str | None) -> None:
    statement = step(sql, BOOK, **{"locks": [(SHARE, BOOK)], "work": [("build", BOOK, "i")], **facts})
    findings = found("blocking-index-build", run(statement))
    assert [expected in item.message for item in findings] == ([True] if expected else []) if expected else not findings
    assert found("blocking-index-build", run(step("TRUNCATE book", BOOK), statement)) == []
    assert found("blocking-index-build", run(statement, rows=((BOOK, 1000),))) == []


def test_an_index_of_a_partitioned_table_is_one_finding() -> None:
    work = tuple(Work("build", Name("public", f"book_{year}"), BOOK, f"book_{year}_i") for year in (2025, 2026))
    statement = replace(step("CREATE INDEX i ON book (a)", BOOK, locks=[(SHARE, BOOK)]), work=work)
    (finding,) = found("blocking-index-build", run(statement))
    assert finding.object == "public.book.i"
    (unsaid,) = found("blocking-index-build", run(replace(statement, command=None)))
    assert unsaid.object == "public.book.book_2026_i"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE book ADD CONSTRAINT u UNIQUE (a)", "public.book.u"),
        ('ALTER TABLE book ADD UNIQUE (a, "B")', "public.book.i"),
        ("ALTER TABLE book ADD CONSTRAINT k PRIMARY KEY (a)", "public.book.k"),
        ("ALTER TABLE book ADD CONSTRAINT e EXCLUDE USING gist (a WITH &&)", "public.book.e"),
        ("ALTER TABLE book ADD COLUMN a int UNIQUE", "public.book.a"),
        ("ALTER TABLE book ADD CONSTRAINT u UNIQUE USING INDEX i", None),
        ("ALTER TABLE book ADD COLUMN a int", None),
        ("CREATE UNIQUE INDEX i ON book (a)", None),
    ],
)
def test_unique_constraints(sql: str, expected: str | None) -> None:
    statement = step(sql, BOOK, work=[("build", BOOK, "i")])
    assert [item.object for item in found("blocking-unique", run(statement))] == ([expected] if expected else [])
    assert found("blocking-unique", run(step(sql, BOOK, work=[("build", BOOK, "i"), ("rewrite", BOOK)]))) == []
    assert found("blocking-unique", run(step(sql, BOOK))) == []


FOREIGN = "ALTER TABLE book ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES author DEFERRABLE -- now"
CHECKED = {"work": [("foreign key", BOOK, "fk")], "locks": [(KEY_LOCK, BOOK), (KEY_LOCK, AUTHOR)]}


@pytest.mark.parametrize(
    ("sql", "facts", "number"),
    [
        (FOREIGN, {}, 1),
        (FOREIGN, {"held": [(EXCLUSIVE, BOOK)]}, 1),
        (FOREIGN, {"work": [("foreign key", BOOK)]}, 1),
        ("ALTER TABLE book ADD FOREIGN KEY (a, b) REFERENCES author", {}, 1),
        ("ALTER TABLE book ADD FOREIGN KEY (a) REFERENCES author, ADD x int", {}, 1),
        ("nonsense", {}, 1),
        ("ALTER TABLE book VALIDATE CONSTRAINT fk", {}, 0),
        (FOREIGN, {"locks": []}, 0),
        (FOREIGN, {"locks": [(LIGHT, BOOK)]}, 0),
        (FOREIGN, {"work": [("scan", BOOK, "fk")]}, 0),
    ],
)
def test_foreign_keys(sql: str, facts: dict[str, Any], number: int) -> None:
    statement = step(sql, BOOK, **{**CHECKED, **facts})
    assert len(found("validating-foreign-key", run(statement))) == number
    assert found("validating-foreign-key", run(statement, rows=((BOOK, 5),))) == []


@pytest.mark.parametrize(
    ("first", "between", "inline"),
    [
        ("ALTER TABLE book ADD COLUMN a bigint", "SELECT 1", True),
        ("ALTER TABLE book ADD COLUMN a bigint", "UPDATE book SET a = 1", False),
        ("ALTER TABLE book ADD COLUMN b bigint", "SELECT 1", False),
        ("ALTER TABLE book ADD COLUMN a bigint DEFAULT 1", "SELECT 1", False),
        ("ALTER TABLE book ADD COLUMN a bigint NOT NULL", "SELECT 1", False),
        ("SELECT 1", "SELECT 1", False),
    ],
)
def test_a_key_of_a_new_column(first: str, between: str, inline: bool) -> None:
    statements = (step(first, BOOK, line=3), step(between, BOOK), step(FOREIGN, BOOK, **CHECKED))
    (finding,) = found("validating-foreign-key", run(*statements))
    assert ("in place of line 3" in str(finding.remedy)) is inline


CONSTRAINT = {"work": [("scan", BOOK)], "locks": [(EXCLUSIVE, BOOK)]}


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("ALTER TABLE book ADD CONSTRAINT c CHECK (a > 0) -- now", 1),
        ("ALTER TABLE book ADD CHECK (a > 0)", 1),
        ("ALTER TABLE book ADD COLUMN a int CHECK (a > 0)", 1),
        ("ALTER TABLE book ADD CONSTRAINT c CHECK (a > 0), ADD b int", 1),
        ("ALTER TABLE book ADD CONSTRAINT c CHECK (a > 0) NOT VALID", 0),
        ("ALTER TABLE book ADD COLUMN a int", 0),
        ("ALTER TABLE book ALTER a SET NOT NULL", 0),
        ("ALTER TABLE book VALIDATE CONSTRAINT c", 0),
    ],
)
def test_checks(sql: str, number: int) -> None:
    assert len(found("validating-check", run(step(sql, BOOK, **CONSTRAINT)))) == number
    rewriting = {"work": [("scan", BOOK), ("rewrite", BOOK)]}
    assert found("validating-check", run(step(sql, BOOK, **rewriting))) == []
    assert found("validating-check", run(step(sql, BOOK))) == []


LOCKED = step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)], line=3)


@pytest.mark.parametrize(
    ("second", "severity"),
    [
        (step("UPDATE author SET id = 1 WHERE id = 2", AUTHOR), "warning"),
        (step("UPDATE author SET id = 1", AUTHOR), None),  # unbatched-data-change says both
        (step("DELETE FROM book WHERE id = 2", BOOK), "warning"),
        (step("INSERT INTO author VALUES (1)", AUTHOR), None),
        (step("UPDATE fresh SET id = 1", NEW), None),
        (step("UPDATE fresh SET id = 1", None), None),
        (step("CREATE INDEX i ON author (a)", AUTHOR, work=[("build", AUTHOR, "i")]), None),
        (step("CREATE INDEX i ON book (a)", BOOK, work=[("build", BOOK, "i")]), None),
        (step("ALTER TABLE author ADD CHECK (true)", AUTHOR, work=[("scan", AUTHOR)]), None),
        (step("CREATE INDEX i ON author (a)", AUTHOR, locks=[(SHARE, AUTHOR)]), None),
        (step("ALTER TABLE author ALTER id TYPE int", AUTHOR, work=[("rewrite", AUTHOR)]), "warning"),
        (step("ALTER TABLE author ADD x int", AUTHOR, locks=[(EXCLUSIVE, AUTHOR)]), "info"),
        (step("ALTER TABLE author VALIDATE CONSTRAINT c", AUTHOR, locks=[(LIGHT, AUTHOR)]), None),
        (step("ALTER TABLE book ADD y int", BOOK, locks=[(EXCLUSIVE, BOOK)]), None),
        (step("nonsense"), None),
    ],
)
def test_more_under_a_strong_lock(second: Statement, severity: str | None) -> None:
    findings = found("strong-lock-then-more", run(LOCKED, second))
    assert [str(item.severity) for item in findings] == ([severity] if severity else [])
    assert found("strong-lock-then-more", run(LOCKED, replace(second, transaction=1))) == []
    assert found("strong-lock-then-more", run(LOCKED, replace(second, transactional=False))) == []
    # Readers go on under SHARE, so that only a second lock is said.
    shared = step("LOCK TABLE book IN SHARE MODE", BOOK, locks=[(SHARE, BOOK)], line=2)
    under_share = [str(item.severity) for item in found("strong-lock-then-more", run(shared, second))]
    assert under_share == (["info"] if severity == "info" else [])


def test_a_lock_that_becomes_stronger_counts_from_there() -> None:
    shared = step("LOCK TABLE book IN SHARE MODE", BOOK, locks=[(SHARE, BOOK)], line=2)
    stronger = step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)], held=[(SHARE, BOOK)], line=4)
    change = step("UPDATE author SET id = 1 WHERE id = 2", AUTHOR, held=[(SHARE, BOOK), (EXCLUSIVE, BOOK)], line=5)
    (finding,) = found("strong-lock-then-more", run(shared, stronger, change))
    assert finding.message.startswith("ACCESS EXCLUSIVE on public.book, taken in line 4, is held while line 5")


@pytest.mark.parametrize(
    ("downgrade", "expected"),
    [
        (None, None),
        (Downgrade(), None),
        (Downgrade(declared=True, failure="no"), None),
        (Downgrade(failure="no way\n  LINE 1: x\n     ^\n"), "the downgrade fails: no way; LINE 1: x"),
        (Downgrade(failure="no", location=Location("r1.py", 30)), "the downgrade fails: no"),
        (Downgrade(differences=("a", "b")), "the schema is not what it was: a; b"),
        (Downgrade(differences=tuple("abcdefgh")), "; and "),
        (Downgrade(again="gone"), "after its downgrade the upgrade fails: gone"),
        (Downgrade(skipped="why"), None),
    ],
)
def test_downgrades(downgrade: Downgrade | None, expected: str | None) -> None:
    findings = found("irreversible-revision", run(downgrade=downgrade, downgrade_line=20))
    assert len(findings) == (expected is not None)
    assert all(expected in item.message for item in findings if expected)
    assert not any(item.guess for item in findings)


def test_nobody_goes_back_to_an_empty_database() -> None:
    first = run(downgrade=Downgrade(failure="no"), before=Schema("database", ()))
    assert [item.guess for item in found("irreversible-revision", first)] == [True]
