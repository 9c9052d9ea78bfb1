"""What more patterns of revisions decide, on runs written by hand: NOT NULL, dropped indexes, new types, timeouts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns.revisions._statements import as_written, block, busy, has_relation
from alembic_pgpatterns.revisions.model import Statement
from alembic_pgpatterns.schema.model import Index, IndexKey, Name, Schema
from tests.patterns.handmade_runs import AUTHOR, BEFORE, BOOK, BOOKS, EXCLUSIVE, LIGHT, NEW, OTHER, found, run, step

pytestmark = pytest.mark.usefixtures("held_messages")

SCAN = {"work": [("scan", BOOK), ("scan", AUTHOR)]}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE book ALTER a SET NOT NULL", "public.book.a"),
        ("ALTER TABLE book ADD x int, ALTER a SET NOT NULL", "public.book.a"),
        ("ALTER TABLE book ADD CONSTRAINT c NOT NULL a", "public.book.a"),
        ("ALTER TABLE book ADD CONSTRAINT c NOT NULL a NOT VALID", None),
        ("ALTER TABLE book ADD CONSTRAINT c CHECK (a > 0)", None),
        ("ALTER TABLE book ADD a int NOT NULL", None),
        ("ALTER TABLE book ALTER a DROP NOT NULL", None),
        ("SELECT 1", None),
    ],
)
def test_not_null(sql: str, expected: str | None) -> None:
    assert [item.object for item in found("blocking-not-null", run(step(sql, BOOK, **SCAN)))] == [expected] * bool(
        expected
    )
    rewriting = step(sql, BOOK, work=[("scan", BOOK), ("rewrite", BOOK)])
    assert found("blocking-not-null", run(rewriting)) == found("blocking-not-null", run(step(sql, BOOK))) == []


IX = Index(Name("public", "ix"), BOOK, "btree", (IndexKey("title"),))
WITH_INDEX = replace(BEFORE, tables=(replace(BOOKS[0], indexes=(IX,)), *BOOKS[1:]))


def dropped(
    sql: str = "DROP INDEX ix", *, before: Schema = WITH_INDEX, after: Schema = BEFORE, **facts: Any
) -> list[str]:
    statement = step(sql, None, **{"locks": [(EXCLUSIVE, BOOK)], **facts})
    return [item.object for item in found("blocking-index-drop", run(statement, before=before, after=after))]


def test_dropped_indexes() -> None:
    assert dropped() == dropped("DROP INDEX public.ix") == dropped("DROP INDEX gone, ix") == ["public.ix"]
    assert dropped("DROP INDEX other.ix") == dropped("DROP INDEX CONCURRENTLY ix") == dropped("DROP TABLE ix") == []
    assert dropped(error="42704") == dropped(locks=[]) == dropped(locks=[(LIGHT, BOOK)]) == []
    assert dropped("nonsense") == dropped(before=BEFORE) == []
    assert dropped(after=replace(BEFORE, tables=BOOKS[1:])) == []
    bare = replace(BOOKS[0], columns=BOOKS[0].columns[:1])
    assert dropped(after=replace(BEFORE, tables=(bare, *BOOKS[1:]))) == []
    for facts in ({"kind": "partitioned"}, {"partition_of": AUTHOR}):
        parted: Any = replace(WITH_INDEX.tables[0], **facts)
        assert dropped(before=replace(BEFORE, tables=(parted, *BOOKS[1:]))) == []


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        (step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)]), 0),
        (step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)], transaction=7), 1),
        (step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)], transactional=False), 1),
        (step("ALTER TABLE author ADD x int", AUTHOR, locks=[(EXCLUSIVE, AUTHOR)]), 1),
        (step("ALTER TABLE book VALIDATE CONSTRAINT c", BOOK, locks=[(LIGHT, BOOK)]), 1),
        (step("DROP INDEX other_ix", None, locks=[(EXCLUSIVE, BOOK)]), 1),
        (step("nonsense", locks=[(EXCLUSIVE, BOOK)]), 1),
    ],
)
def test_an_index_that_is_dropped_under_a_lock(earlier: Statement, expected: int) -> None:
    drop = step("DROP INDEX ix", None, locks=[(EXCLUSIVE, BOOK)])
    assert len(found("blocking-index-drop", run(earlier, drop, before=WITH_INDEX))) == expected
    assert len(found("blocking-index-drop", run(drop, earlier, before=WITH_INDEX))) == 1
    alone = replace(drop, transactional=False)
    assert len(found("blocking-index-drop", run(earlier, alone, before=WITH_INDEX))) == 1


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ([("build", BOOK, "ix")], "rebuilds ix under"),
        ([("build", BOOK, "ix"), ("build", BOOK, "iy")], "rebuilds ix, iy under"),
        ([("scan", BOOK)], "verifies its constraints row by row under"),
        ([("build", BOOK, "ix"), ("scan", BOOK)], "rebuilds ix and verifies its constraints row by row"),
        ([("build", BOOK)], None),
        ([("build", BOOK, "ix"), ("rewrite", BOOK)], None),
        ([], None),
    ],
)
def test_what_a_new_type_rebuilds(work: list[Any], expected: str | None) -> None:
    sql = "ALTER TABLE book ADD x int, ALTER code TYPE varchar(20)"
    findings = found("rebuilt-dependents", run(step(sql, BOOK, work=work)))
    assert len(findings) == bool(expected) and all(str(expected) in item.message for item in findings)
    for statement in (step(sql, NEW, work=work), step(sql, None, work=work), step("SELECT 1", BOOK, work=work)):
        assert found("rebuilt-dependents", run(statement)) == []
    assert found("rebuilt-dependents", run(step(sql, BOOK, work=work), rows=((BOOK, 9),))) == []


@pytest.mark.parametrize(
    ("sql", "facts", "expected"),
    [
        (
            "CREATE INDEX CONCURRENTLY i ON book (a)",
            {"lock_timeout": 5000},
            "build of i runs under a lock_timeout of 5000 ms,",
        ),
        (
            "REINDEX TABLE CONCURRENTLY book",
            {"statement_timeout": 9},
            "build of public.book runs under a statement_timeout",
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON book (a)",
            {"lock_timeout": 1, "statement_timeout": 2},
            "under a lock_timeout of 1 ms and a statement_timeout of 2 ms",
        ),
        ("CREATE INDEX CONCURRENTLY i ON book (a)", {"lock_timeout": 0, "statement_timeout": None}, None),
        ("CREATE INDEX i ON book (a)", {"lock_timeout": 5000}, None),
        ("DROP INDEX CONCURRENTLY i", {"lock_timeout": 5000}, None),
    ],
)
def test_timeouts_of_concurrent_builds(sql: str, facts: dict[str, Any], expected: str | None) -> None:
    findings = found("timeout-kills-concurrent-build", run(step(sql, BOOK, **facts)))
    assert len(findings) == bool(expected) and all(str(expected) in item.message for item in findings)
    for name in (NEW, None):
        assert found("timeout-kills-concurrent-build", run(step(sql, name, **facts))) == []


def test_locks_without_a_timeout() -> None:
    def waiting(*statements: Statement) -> list[int]:
        return [item.location.line for item in found("missing-lock-timeout", run(*statements)) if item.location]

    strong = step(
        "ALTER TABLE book ADD x int", BOOK, locks=[(LIGHT, AUTHOR), (EXCLUSIVE, BOOK)], lock_timeout=0, line=4
    )
    assert waiting(strong, replace(strong, last_line=9)) == waiting(replace(strong, lock_timeout=None)) == [4]
    # Outside of a block SET LOCAL does nothing.
    (alone,) = found("missing-lock-timeout", run(replace(strong, transactional=False)))
    assert "SET lock_timeout" in str(alone.remedy)
    limited = replace(strong, lock_timeout=5000)
    assert waiting(limited) == waiting(step("SELECT 1")) == [] and waiting(limited, strong) == [4]


def test_what_patterns_of_revisions_share() -> None:
    renamed = step('ALTER TABLE "New Name" ADD x int', BOOK)
    assert as_written(renamed, BOOK) == '"New Name"'
    assert as_written(step("ALTER TABLE other.book ADD x int", BOOK), BOOK) == "other.book"
    assert as_written(renamed, AUTHOR) == "author" and as_written(step("nonsense", BOOK), BOOK) == "book"
    assert as_written(renamed, OTHER) == 'other."Shelf"'
    assert busy(run(), BOOK) and not busy(run(), NEW) and not busy(run(), None)
    assert not busy(run(rows=((BOOK, 5),)), BOOK) and busy(run(rows=((AUTHOR, 5),)), BOOK)
    assert has_relation(BEFORE, BOOK) and has_relation(BEFORE, Name("public", "titles"))
    assert not has_relation(BEFORE, NEW)
    two = block("SELECT 1", "SELECT 2")
    assert two == 'with op.get_context().autocommit_block():\n    op.execute("SELECT 1")\n    op.execute("SELECT 2")'
