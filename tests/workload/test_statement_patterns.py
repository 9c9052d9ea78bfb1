"""What holds for every pattern of statements: its examples, recorded on a real server."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, StatementPattern, built_in
from alembic_pgpatterns.patterns.statements.async_session_expires import AsyncSessionExpires
from alembic_pgpatterns.patterns.statements.leading_wildcard import LeadingWildcard
from alembic_pgpatterns.patterns.statements.pool_larger_than_server import PoolLargerThanServer
from alembic_pgpatterns.patterns.statements.pool_without_recycle import PoolWithoutRecycle
from alembic_pgpatterns.patterns.statements.unbounded_read import UnboundedRead
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema, TableStatistics
from alembic_pgpatterns.workload.model import EngineFacts, Workload
from tests.messages import hold_messages
from tests.recorded import recorded

PATTERNS = [cls for cls in built_in().values() if issubclass(cls, StatementPattern)]
RUN = [pytest.param(cls, id=cls.name) for cls in PATTERNS if cls.runs]
Record = Callable[..., Workload]
BOOKS = next(cls.models for cls in PATTERNS if cls.name == "random-order")
STATISTICS = TableStatistics(0, 0, 0, 0, 0, 0, 0)


def detect(cls: type[StatementPattern], workload: Workload, schema: Schema | None = None) -> list[Finding]:
    return list(cls().detect(workload, schema))


def source(cls: type[StatementPattern], name: str) -> tuple[str, str]:
    return textwrap.dedent(cls.models), textwrap.dedent(getattr(cls, name))


@pytest.mark.parametrize("cls", RUN)
@pytest.mark.sample(2)
def test_bad_fires_and_good_is_silent(cls: type[StatementPattern], record: Record, database: Any) -> None:
    findings = detect(cls, record(*source(cls, "bad")))
    assert len(findings) == 1
    assert findings[0].location is not None
    assert " in run " in findings[0].fingerprint
    assert findings[0].remedy is not None
    hold_messages(cls.name, findings)
    with database.connect() as connection:
        schema = catalog.read(connection)
    assert detect(cls, record(*source(cls, "good"))) == []
    assert detect(cls, record(*source(cls, "bad")), schema), "the schema alone does not make it silent"


@pytest.mark.parametrize("cls", RUN)
def test_good_is_silent_for_all_patterns_about_certain_things(cls: type[StatementPattern], record: Record) -> None:
    workload = record(*source(cls, "good"))
    loud = {other.name: detect(other, workload) for other in PATTERNS if not other.name.startswith("pool-")}
    assert {name for name, findings in loud.items() if findings} <= {"function-on-column", "offset-paging"}


QUIET = {
    "a list in portions": """
def run(session):
    for start in range(0, 600, 100):
        session.scalars(select(Book).where(Book.id.in_(range(start, start + 100)))).all()
""",
    "pages": """
def run(session):
    last = 0
    for _ in range(6):
        last += 1
        session.scalars(select(Book).where(Book.id > last).order_by(Book.id).limit(1)).all()
""",
    "polling in transactions of their own": """
def run(session):
    for _ in range(6):
        session.scalar(select(func.count()).select_from(Book).where(Book.status == "done"))
        session.commit()
""",
    "retries": """
def run(session):
    for _ in range(2):
        session.scalars(select(Book).where(Book.id == 1)).all()
""",
    "rows that are locked one by one": """
def run(session):
    for n in range(1, 7):
        session.scalars(select(Book).where(Book.id == n).with_for_update()).all()
""",
    "one flush of changes": """
def run(session):
    for n, book in enumerate(session.scalars(select(Book)).all()):
        book.status = f"s{n}"
    session.flush()
""",
    "portions with a commit each": """
def run(session):
    for start in range(6):
        session.execute(insert(Author), [{"name": f"{start}-{n}"} for n in range(20)])
        session.commit()
""",
    "deletes in portions": """
def run(session):
    for start in range(0, 600, 100):
        session.execute(delete(Book).where(Book.id.in_(range(10**6 + start, 10**6 + start + 100))))
""",
    "a sequence": """
def run(session):
    for _ in range(6):
        session.scalar(text("SELECT nextval('book_id_seq')"))
""",
    "a join by a condition that is no equality": """
def run(session):
    session.execute(select(Author.id, Book.id).where(Book.id < Author.id)).all()
""",
    "a query again after a write": """
def run(session):
    for n in range(4):
        session.scalar(select(func.count()).select_from(Author))
        session.execute(insert(Author), [{"name": f"{n}-{m}"} for m in range(2)])
""",
}


LOUD = {
    "two objects in a loop of the source": (
        "statement-in-loop",
        """
def run(session):
    for book in session.scalars(select(Book).where(Book.id < 3)).all():
        session.scalars(select(Book).where(Book.author_id == book.id)).all()
""",
    ),
    "a count that is only asked for later": (
        "count-for-existence",
        """
def run(session):
    count = session.scalar(select(func.count()).select_from(Book).where(Book.id > 3))
    return (count or 0) > 0
""",
    ),
}
QUIET |= {
    "two portions in a loop of the source": """
def run(session):
    for part in ([1, 2], [3, 4]):
        session.scalars(select(Book).where(Book.id.in_(part))).all()
""",
    "two calls of a helper that loops over one result": """
def books(session, n):
    return [book.id for book in session.scalars(select(Book).where(Book.id == n))]

def run(session):
    books(session, 1)
    books(session, 2)
""",
    "a count that is shown too": """
def run(session):
    count = session.scalar(select(func.count()).select_from(Book).where(Book.id > 3))
    return count > 0, count
""",
}


@pytest.mark.parametrize("name", list(LOUD))
def test_what_the_source_shows_is_found(name: str, record: Record) -> None:
    pattern, source = LOUD[name]
    workload = record(textwrap.dedent(BOOKS), source)
    (cls,) = [cls for cls in PATTERNS if cls.name == pattern]
    assert len(list(detect(cls, workload))) == 1


@pytest.mark.parametrize("name", list(QUIET))
def test_known_false_alarms_are_quiet(name: str, record: Record) -> None:
    workload = record(textwrap.dedent(BOOKS), QUIET[name])
    loud = [
        finding.fingerprint for cls in PATTERNS if not cls.name.startswith("pool-") for finding in detect(cls, workload)
    ]
    assert loud == []


def test_a_loop_of_constants_in_the_text(record: Record) -> None:
    source = """
def run(session):
    for n in range(1, 8):
        session.execute(text(f"SELECT status FROM book WHERE id = {n}")).all()
"""
    workload = record(textwrap.dedent(BOOKS), source)
    cls = next(cls for cls in PATTERNS if cls.name == "statement-in-loop")
    (finding,) = detect(cls, workload)
    assert finding.message.startswith("a query is sent 7 times in one call, each time with other values")
    assert [statement.calls for statement in workload.statements] == [7]


def test_rows_that_are_deleted_for_one_value_at_a_time(record: Record) -> None:
    source = """
def run(session):
    session.execute(insert(Book), [{"author_id": n} for n in range(1, 8)])
    for n in range(1, 8):
        session.execute(delete(Book).where(Book.author_id == n))
"""
    cls = next(cls for cls in PATTERNS if cls.name == "row-by-row-write")
    (finding,) = detect(cls, record(textwrap.dedent(BOOKS), source))
    assert finding.message.startswith("rows are deleted for one value at a time, by 7 statements: DELETE FROM book")


def test_a_loop_in_the_test_itself_is_for_information(record: Record) -> None:
    workload = record(*source(next(cls for cls in PATTERNS if cls.name == "statement-in-loop"), "bad"))
    usages = tuple(
        replace(statement, usages=tuple(replace(u, site=replace(u.site, test=True)) for u in statement.usages))
        for statement in workload.statements
    )
    findings = [finding for cls in PATTERNS for finding in detect(cls, replace(workload, statements=usages))]
    assert {str(finding.severity) for finding in findings} == {"info"}


def test_whole_tables_are_reported_where_their_size_is_known(record: Record, database: Any) -> None:
    workload = record(textwrap.dedent(BOOKS), "def run(session):\n    session.scalars(select(Book)).all()\n")
    assert detect(UnboundedRead, workload) == []
    with database.connect() as connection:
        schema = catalog.read(connection)
    assert detect(UnboundedRead, workload, schema) == []
    large = tuple(replace(table, statistics=replace(STATISTICS, rows=5e6)) for table in schema.tables)
    (finding,) = detect(UnboundedRead, workload, replace(schema, tables=large))
    assert "all 5,000,000 rows of public.book" in finding.message


@pytest.mark.parametrize(
    ("cls", "bad", "good"),
    [
        (PoolLargerThanServer, {"size": 50, "overflow": 10}, {"size": 5, "overflow": 10}),
        (PoolLargerThanServer, {"size": 5, "overflow": -1}, {"size": None, "overflow": None}),
        (PoolWithoutRecycle, {"size": 5, "recycle": -1}, {"size": 5, "recycle": 1800}),
        (PoolWithoutRecycle, {"size": 5, "recycle": -1}, {"size": 5, "recycle": -1, "pre_ping": True}),
        (
            AsyncSessionExpires,
            {"is_async": True, "expires_on_commit": True},
            {"is_async": True, "expires_on_commit": False},
        ),
        (AsyncSessionExpires, {"is_async": True, "expires_on_commit": True}, {"expires_on_commit": True}),
    ],
)
def test_engines(cls: type[StatementPattern], bad: dict[str, Any], good: dict[str, Any]) -> None:
    def engine(facts: dict[str, Any]) -> Workload:
        return Workload(engines=(EngineFacts(**{"dialect": "postgresql+psycopg", "pool": "QueuePool", **facts}),))

    assert len(detect(cls, engine(bad))) == 1
    assert detect(cls, engine(good)) == []


SEARCHES = (
    "SELECT * FROM issue WHERE title ILIKE '%' || $1 || '%'",
    "SELECT * FROM issue WHERE title ILIKE '%' || $1 || '%' AND open LIMIT $2",
    "SELECT * FROM issue WHERE id::text LIKE '%' || $1 || '%' OR title ILIKE '%' || $1 || '%'",
)


def test_a_search_with_optional_conditions_is_said_once() -> None:
    """And a number that is cast has no text that a trigram index could hold, where there is something else."""
    workload = recorded(*SEARCHES)
    first, *others = workload.statements
    findings = detect(LeadingWildcard, Workload((first, *(replace(item, usages=first.usages) for item in others))))
    assert [finding.fingerprint for finding in findings] == ["leading-wildcard title in view (app.py)"]
