"""Advice says what its commit ends or makes final, and what the block and other databases need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Environment, History, RevisionRun
from alembic_pgpatterns.schema.model import Index, IndexKey, Location, Name
from tests.patterns.handmade_runs import AUTHOR, BEFORE, BOOK, BOOKS, EXCLUSIVE, SHARE, found, run, step

BUILD = "CREATE UNIQUE INDEX book_code ON book (code)"
OLD = Index(Name("public", "book_key"), BOOK, "btree", (IndexKey("title"),), unique=True, constraint="book_key")
WITH_UNIQUE = replace(BEFORE, tables=(replace(BOOKS[0], indexes=(OLD,)), *BOOKS[1:]))


def advice(pattern: str, what: RevisionRun | History) -> str:
    (finding,) = found(pattern, what)
    assert isinstance(finding.remedy, Advice)
    return finding.remedy.text


def build(sql: str = BUILD, **facts: object) -> object:
    return step(sql, BOOK, locks=[(SHARE, BOOK)], work=[("build", BOOK, "book_code")], line=20, **facts)


@pytest.mark.parametrize(
    ("sql", "table", "says"),
    [
        ("ALTER TABLE book DROP CONSTRAINT book_key", BOOK, "line 10 drops book_key"),
        ("DROP INDEX book_key", None, "line 10 drops book_key"),
        ("SET CONSTRAINTS ALL DEFERRED", None, "SET CONSTRAINTS in line 10 ends"),
    ],
)
def test_earlier_statement_that_the_block_commits(sql: str, table: Name | None, says: str) -> None:
    tables = () if table is None else (table,)
    assert says in advice("blocking-index-build", run(step(sql, *tables), build(), before=WITH_UNIQUE))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (step("ALTER TABLE book DROP CONSTRAINT ck_pages", BOOK), build()),
        (step("ALTER TABLE author DROP CONSTRAINT book_key", AUTHOR), build()),
        (step("ALTER TABLE book DROP CONSTRAINT book_key", BOOK), build("CREATE INDEX book_code ON book (code)")),
        (step("ALTER TABLE book DROP CONSTRAINT book_key", BOOK, transaction=0), build(transaction=1)),
        (step("SELECT 1"), build()),
    ],
)
def test_nothing_that_the_commit_would_harm(earlier: object, later: object) -> None:
    text = advice("blocking-index-build", run(earlier, later, before=WITH_UNIQUE))  # type: ignore[arg-type]
    assert "commit" not in text.replace("autocommit", "") and "drops" not in text


def test_lock_of_the_run_that_the_commit_releases() -> None:
    held = "pg_advisory_xact_lock"
    assert held in advice("blocking-index-build", run(build(advisory_lock=True)))
    assert held not in advice("blocking-index-build", run(build()))
    update = "UPDATE book SET pages = 0"
    assert held in advice("unbatched-data-change", run(step(update, BOOK, advisory_lock=True)))
    assert held not in advice("unbatched-data-change", run(step(update, BOOK)))


@pytest.mark.parametrize("guarded", [True, False])
def test_one_transaction_per_revision_and_the_lock_of_the_run(guarded: bool) -> None:
    one = run(step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)], advisory_lock=guarded))
    environment = Environment(Location("env.py", 40), transaction_per_migration=False, opened_transaction=False)
    history = History(environments=(environment,), runs=(one, replace(one, revision="r2")))
    text = advice("transaction-spans-revisions", history)
    assert ("pg_try_advisory_lock" in text) is guarded


def test_a_sentence_stays_a_sentence() -> None:
    deleted = step("DELETE FROM book", BOOK, advisory_lock=True)
    text = advice("unbatched-data-change", run(deleted))
    assert "Note: the commit releases" in text and "#" not in text


@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_batches_and_other_databases(portable: bool, batched: bool) -> None:
    text = advice("blocking-index-build", run(build(batched=batched), portable=portable))
    assert ('dialect.name == "postgresql"' in text) is portable
    assert ("behind the op.batch_alter_table block" in text) is batched


def test_a_timeout_is_set_before_the_operations_of_a_block() -> None:
    added = step("ALTER TABLE book ADD x int", BOOK, locks=[(EXCLUSIVE, BOOK)], batched=True, lock_timeout=0)
    assert "behind the op.batch_alter_table block" not in advice("missing-lock-timeout", run(added))
