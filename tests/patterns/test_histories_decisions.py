"""What patterns of histories, rehearsals and differences of live databases decide, on facts written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alembic_pgpatterns.revisions.model import (
    Broken,
    Drift,
    Environment,
    History,
    RevisionRun,
    Slowed,
    Spot,
)
from alembic_pgpatterns.revisions.rehearsed import LostContent, RehearsedRun, RowFailure
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import (
    UNKNOWN,
    Check,
    ForeignKey,
    Index,
    IndexKey,
    Key,
    Location,
    Name,
    Schema,
    Table,
)
from tests.patterns.handmade_runs import (
    AUTHOR,
    BEFORE,
    BOOK,
    BOOKS,
    EXCLUSIVE,
    LIGHT,
    OTHER,
    found,
    run,
    step,
)

pytestmark = pytest.mark.usefixtures("held_messages")

NO_TABLES = replace(BEFORE, tables=(), views=())
ENVIRONMENT = Environment(Location("env.py", 40), transaction_per_migration=False, opened_transaction=False)

PER_MIGRATION = replace(ENVIRONMENT, transaction_per_migration=True)


def locking(revision: str, *, mode: str = EXCLUSIVE, transactional: bool = True) -> RevisionRun:
    statement = step("ALTER TABLE book ADD x int", BOOK, locks=[(mode, BOOK)], transactional=transactional)
    return replace(run(statement), revision=revision)


@pytest.mark.parametrize(
    ("history", "number"),
    [
        (History(environments=(ENVIRONMENT,), runs=(locking("a"), locking("b"))), 1),
        (History(environments=(ENVIRONMENT,), runs=(locking("a"), locking("a"))), 0),
        (History(environments=(ENVIRONMENT,), runs=(locking("a"),)), 0),
        (History(environments=(ENVIRONMENT,), runs=(locking("a"), locking("b", mode=LIGHT))), 0),
        (History(environments=(ENVIRONMENT,), runs=(locking("a"), locking("b", transactional=False))), 0),
        (
            History(
                environments=(ENVIRONMENT,),
                runs=(locking("a"), locking("b", transactional=False), locking("c"), locking("d"), locking("e")),
            ),
            1,
        ),
        (
            History(
                environments=(replace(ENVIRONMENT, transaction_per_migration=True),), runs=(locking("a"), locking("b"))
            ),
            0,
        ),
        (History(runs=(locking("a"), locking("b"))), 0),
    ],
)
def test_revisions_in_one_transaction(history: History, number: int) -> None:
    assert len(found("transaction-spans-revisions", history)) == number


def test_histories() -> None:
    heads = (("a", "a.py"), ("b", "b.py"))
    assert len(found("multiple-heads", History(heads=heads))) == 1
    assert found("multiple-heads", History(heads=heads, labelled=True)) == []
    assert found("multiple-heads", History(heads=heads[:1])) == []
    opened = replace(ENVIRONMENT, opened_transaction=True)
    assert found("opened-transaction-with-autocommit", History(environments=(ENVIRONMENT,))) == []
    (first,) = found("opened-transaction-with-autocommit", History(environments=(ENVIRONMENT, opened)))
    used = History(environments=(opened,), uses_autocommit=(Location("r1.py", 9), Location("r2.py", 8)))
    (second,) = found("opened-transaction-with-autocommit", used)
    assert (str(first.severity), str(second.severity)) == ("warning", "error")
    slowed = Slowed("q1", "SELECT 1", (BOOK, AUTHOR), 8.4, 12345.6, ("a",))
    both = (slowed, replace(slowed, revisions=("a", "b", "c"), location=Location("app.py", 3)))
    assert [item.revision for item in found("slowed-statement", History(slowed=both))] == ["a", "c"]
    broken = Broken(BOOK, "title", "title is gone", "a", Location("a.py", 9), "v1")
    of_models = replace(broken, part="code", model=Location("models.py", 4))
    nulls = replace(broken, part="null title", with_new_rows=True)
    severities = [str(item.severity) for item in found("breaks-old-code", History(broken=(broken, of_models, nulls)))]
    assert severities == ["error", "error", "warning"]
    drift = Drift(BOOK, "public.book.title", "title differs")
    drifts = (drift, replace(drift, location=Location("m.py", 2), harmless=True), replace(drift, remedy="Write it."))
    findings = found("model-drift", History(drifts=drifts))
    assert [(str(item.severity), item.location is None) for item in findings][:2] == [
        ("warning", True),
        ("info", False),
    ]
    assert found("model-drift", History()) == found("model-drift", History(drifts=())) == []


def test_rows_that_a_rehearsal_loses() -> None:
    lost = LostContent(BOOK, "Title", 1200, 1100, 100, survives=True)
    failures = tuple(RowFailure(way, "no", Location("r1.py", 4)) for way in ("upgrade", "downgrade", "second upgrade"))
    rehearsed = RehearsedRun(
        "r1",
        "r1.py",
        3,
        9,
        failures=failures,
        lost=(
            lost,
            replace(lost, survives=False),
            replace(lost, remaining=1100),
            replace(lost, remaining=1101),
            replace(lost, rows_lost=1000),
            replace(lost, rows_lost=-1000),
        ),
    )
    findings = found("data-lost-on-downgrade", rehearsed)
    assert [str(item.severity) for item in findings] == ["warning", "info", "warning", "warning", "warning", "warning"]
    assert len({item.fingerprint for item in found("fails-with-rows", rehearsed)}) == 3
    assert found("data-lost-on-downgrade", RehearsedRun("r1", "r1.py", 3, 9)) == []


KEYS = (IndexKey("title"), IndexKey("id", descending=True))
PLAIN = Index(Name("public", "i"), BOOK, "btree", (IndexKey("title"),))
FK = ForeignKey(BOOK, "fk", ("id",), AUTHOR, ("id",))
CK = Check(BOOK, "ck", "(pages > 0)")
LIVE = LiveServer(180000, "shop", "app", since=datetime(2026, 1, 1, tzinfo=UTC), now=datetime(2026, 6, 1, tzinfo=UTC))
UQ = Key(BOOK, "uq", ("title",), False)


def drift(live: Table, head: Table) -> list[str]:
    schemas = [Schema("database", (item,), server_version=18) for item in (live, head)]
    server = replace(LIVE, schema=schemas[0], head=schemas[1])
    return [item.message for item in found("live-drift", server)]


def part(**parts: Any) -> Table:
    return replace(BOOKS[0], **parts)


@pytest.mark.parametrize(
    ("live", "head"),
    [
        (part(columns=()), BOOKS[0]),
        (BOOKS[0], part(columns=BOOKS[0].columns[:1])),
        (part(columns=(replace(BOOKS[0].columns[0], nullable=False),)), part(columns=BOOKS[0].columns[:1])),
        (part(columns=(replace(BOOKS[0].columns[0], default="1"),)), part(columns=BOOKS[0].columns[:1])),
        (part(row_security=True), part(row_security=False)),
        (part(kind="foreign"), BOOKS[0]),
        (part(primary_key=None), BOOKS[0]),
        (part(indexes=(PLAIN,)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, unique=True),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, keys=KEYS),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, method="hash"),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, include=("id",)),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, predicate="(id > 0)"),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, keys=(IndexKey(None, expression="lower(title)"),)),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, nulls_not_distinct=UNKNOWN),)), BOOKS[0]),
        (part(indexes=(replace(PLAIN, valid=False),)), part(indexes=(PLAIN,))),
        (part(indexes=(replace(PLAIN, unique=True, include=("id",)),)), part(indexes=(replace(PLAIN, keys=KEYS),))),
        (part(indexes=(replace(PLAIN, predicate="a"),)), part(indexes=(replace(PLAIN, method="hash"),))),
        (part(unique_constraints=(UQ,)), BOOKS[0]),
        (part(unique_constraints=(replace(UQ, name=None),)), BOOKS[0]),
        (part(unique_constraints=(replace(UQ, deferrable=True),)), part(unique_constraints=(UQ,))),
        (part(unique_constraints=(replace(UQ, columns=("title", "id")),)), part(unique_constraints=(UQ,))),
        (part(foreign_keys=(FK,)), BOOKS[0]),
        (part(foreign_keys=(replace(FK, name=None),)), BOOKS[0]),
        (part(foreign_keys=(replace(FK, on_delete="CASCADE"),)), part(foreign_keys=(FK,))),
        (part(foreign_keys=(replace(FK, on_update="CASCADE"),)), part(foreign_keys=(FK,))),
        (part(foreign_keys=(replace(FK, validated=False),)), part(foreign_keys=(FK,))),
        (part(foreign_keys=(replace(FK, columns=("id", "pages")),)), part(foreign_keys=(FK,))),
        (part(foreign_keys=(replace(FK, referred_table=OTHER),)), part(foreign_keys=(FK,))),
        (part(foreign_keys=(replace(FK, enforced=False),)), part(foreign_keys=(FK,))),
        (part(checks=(CK,)), BOOKS[0]),
        (part(checks=(replace(CK, expression="(pages > 1)"),)), part(checks=(CK,))),
        (part(checks=(replace(CK, validated=False),)), part(checks=(CK,))),
        (part(checks=(replace(CK, enforced=False),)), part(checks=(CK,))),
    ],
)
def test_a_live_database_that_differs(live: Table, head: Table) -> None:
    assert drift(live, head) and drift(head, live)
    assert drift(live, live) == drift(head, head) == []


def test_what_is_no_drift_of_its_own() -> None:
    behind = replace(PLAIN, constraint="uq")
    inherited = (replace(FK, inherited=True),), (replace(CK, inherited=True),)
    assert drift(part(indexes=(behind,), foreign_keys=inherited[0], checks=inherited[1]), BOOKS[0]) == []
    assert drift(part(partition_of=AUTHOR), part(partition_of=AUTHOR, columns=())) == []
    assert found("live-drift", replace(LIVE, schema=BEFORE)) == []
    assert found("live-drift", replace(LIVE, head=BEFORE)) == []
    only = found("live-drift", replace(LIVE, schema=NO_TABLES, head=BEFORE))
    assert len(only) == 4 and {item.message.rpartition(", but ")[2] for item in only} == {"is not in the live database"}


def test_a_spot_knows_its_place() -> None:
    assert Spot("x", None, Location("r1.py", 3), 4).origin.location == Location("r1.py", 3)
