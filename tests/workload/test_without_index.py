"""Queries that no index serves: from the source by pgcheck, and from a recording."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, Place, QueryShape, Use
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.patterns.statements.statement_without_index import StatementWithoutIndex
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema, TableStatistics
from alembic_pgpatterns.workload.from_source import workload_of
from alembic_pgpatterns.workload.model import SOURCE, Workload
from tests.projects import Project, make
from tests.recorded import recorded

pytestmark = pytest.mark.usefixtures("held_messages")

TABLES = """
CREATE TABLE tenant (id bigint PRIMARY KEY);
CREATE TABLE orders (
    id bigint PRIMARY KEY, tenant_id bigint REFERENCES tenant, status text, active boolean, document jsonb,
    created_at timestamptz, note text
);
CREATE INDEX ON orders (note);
"""


@pytest.fixture
def schema(database: Any) -> Schema:
    with database.connect() as connection:
        connection.execute(TABLES)
        return catalog.read(connection)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("SELECT * FROM orders WHERE status = $1 AND tenant_id = $2 ORDER BY created_at DESC LIMIT 9",
         "(tenant_id, status, created_at)"),
        ("SELECT id FROM orders WHERE active = true AND status = $1 AND created_at > $2",
         "(status, created_at)"),
        ("SELECT * FROM orders WHERE document @> $1", "USING gin (document)"),
        ("SELECT * FROM orders ORDER BY created_at LIMIT 5", "(created_at)"),
        ("DELETE FROM orders WHERE created_at < $1", "(created_at)"),
        ("UPDATE orders SET note = $1 WHERE status IN ($2, $3)", "(status)"),
    ],
)  # fmt: skip
def test_the_index_that_would_serve(text: str, keys: str, schema: Schema) -> None:
    (finding,) = StatementWithoutIndex().detect(recorded(text), schema)
    assert finding.remedy is not None
    assert sql(finding.remedy)[0].endswith(keys)
    assert str(finding.severity) == "info"
    assert str(finding.location) == "app.py:1"


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("SELECT * FROM kept WHERE name = $1 AND deleted_at IS NULL", "(name) WHERE deleted_at IS NULL"),
        ("SELECT * FROM kept WHERE name = $1 AND deleted = false", "(name) WHERE NOT deleted"),
        ("SELECT * FROM kept WHERE name = $1 AND deleted = true", "(name)"),
        ("SELECT * FROM kept WHERE deleted = false", None),
        ("SELECT * FROM orders WHERE active = true", None),
    ],
)
def test_rows_that_are_not_deleted_and_flags(text: str, index: str | None, database: Any) -> None:
    table = "CREATE TABLE kept (id bigint PRIMARY KEY, name text, deleted boolean, deleted_at timestamptz);"
    with database.connect() as connection:
        connection.execute(TABLES + table)
        schema = catalog.read(connection)
    statements = [
        sql(finding.remedy)[0] for finding in StatementWithoutIndex().detect(recorded(text), schema) if finding.remedy
    ]
    assert [statement.partition(" ON public.kept ")[2] for statement in statements] == ([index] if index else [])


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM orders WHERE id = $1 AND status = $2",
        "SELECT * FROM orders WHERE note = $1",
        "SELECT * FROM orders WHERE tenant_id = $1",
        "SELECT * FROM orders",
        "SELECT count(*) FROM orders GROUP BY status",
        "SELECT * FROM orders o JOIN tenant t ON t.id = o.tenant_id WHERE o.status = $1",
        "SELECT * FROM elsewhere WHERE x = $1",
    ],
)
def test_what_is_served_or_not_known_is_quiet(text: str, schema: Schema) -> None:
    assert list(StatementWithoutIndex().detect(recorded(text), schema)) == []
    assert list(QueryWithoutIndex().detect(recorded(text), schema)) == []


def source(text: str) -> Workload:
    return replace(recorded(text), source=SOURCE)


@pytest.mark.parametrize(
    ("table", "text", "guess"),
    [
        # of a table that nothing says to be large
        ("CREATE TABLE city (id bigint PRIMARY KEY, name text)", "SELECT * FROM city WHERE name = $1", True),
        ("CREATE TABLE sign_in_log (id bigint PRIMARY KEY, ip text)", "SELECT * FROM sign_in_log WHERE ip = $1", False),
        ("CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz)",
         "SELECT * FROM events ORDER BY at DESC LIMIT 5", False),
        # a row for each of another table's, unless it is a list by its name
        ("CREATE TABLE item (id bigint PRIMARY KEY, t bigint REFERENCES tenant, code text)",
         "SELECT * FROM item WHERE code = $1", False),
        ("CREATE TABLE item_types (id bigint PRIMARY KEY, t bigint REFERENCES tenant, code text)",
         "SELECT * FROM item_types WHERE code = $1", True),
        # all rows of one kind
        ("", "SELECT * FROM orders WHERE status = $1", True),
        ("", "SELECT * FROM orders WHERE status = $1 AND created_at > $2", False),
        ("CREATE TABLE file (id bigint PRIMARY KEY, t bigint REFERENCES tenant, ending text)",
         "SELECT * FROM file WHERE ending = 'mp4'", True),
        ("CREATE TABLE file (id bigint PRIMARY KEY, t bigint REFERENCES tenant, ending text)",
         "SELECT * FROM file WHERE ending = $1", False),
    ],
)  # fmt: skip
def test_a_query_of_the_source_is_a_guess_where_nothing_speaks_for_many_rows(
    table: str, text: str, guess: bool, database: Any
) -> None:
    with database.connect() as connection:
        connection.execute(f"{TABLES}; {table}")
        schema = catalog.read(connection)
    (finding,) = QueryWithoutIndex().detect(source(text), schema)
    assert finding.guess is guess
    (finding,) = StatementWithoutIndex().detect(recorded(text), schema)
    assert not finding.guess, "a recording shows that it runs"


@pytest.mark.parametrize(
    ("condition", "rows", "expected"),
    [
        ("created_at = $1", 999, []),
        ("created_at = $1", 5_000, [False]),
        ("document @> $1", 20_000, []),  # GIN costs too much there, as pgadvise says too
        ("document @> $1", 50_000, [False]),
    ],
)
def test_declared_rows_are_no_guess(condition: str, rows: int, expected: list[bool], schema: Schema) -> None:
    statistics = TableStatistics(rows, 0, 0, 0, 0, 0, 0)
    sized = replace(schema, tables=tuple(replace(table, statistics=statistics) for table in schema.tables))
    findings = list(QueryWithoutIndex().detect(source(f"SELECT * FROM orders WHERE {condition}"), sized))
    assert [finding.guess for finding in findings] == expected


LINKED = """
CREATE TABLE person (id bigint PRIMARY KEY);
CREATE TABLE visit (
    id bigint PRIMARY KEY, person_id bigint REFERENCES person, guide_id bigint REFERENCES person, place text,
    seen_at timestamptz
);
"""


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("person_id = $1 AND place = $2", 0),
        ("person_id = $1 AND place = $2 ORDER BY id LIMIT 1", 0),
        ("person_id = $1 AND guide_id = $2 ORDER BY seen_at LIMIT 1", 0),
        ("person_id = $1 ORDER BY seen_at LIMIT 1", 1),
        ("person_id = $1 AND seen_at > $2", 1),
        ("place = $1", 1),
    ],
)
def test_the_index_of_a_foreign_key_is_enough(condition: str, expected: int, database: Any) -> None:
    """unindexed-foreign-key asks for it already: one cause, one finding."""
    with database.connect() as connection:
        connection.execute(LINKED)
        schema = catalog.read(connection)
    statement = f"SELECT * FROM visit WHERE {condition}"
    assert len(list(QueryWithoutIndex().detect(source(statement), schema))) == expected
    assert len(list(StatementWithoutIndex().detect(recorded(statement), schema))) == expected


def test_known_sizes_decide_how_bad_it_is(schema: Schema) -> None:
    statement = recorded("SELECT * FROM orders WHERE status = $1")
    severities = []
    for rows in (100.0, 5_000.0, 50_000.0):
        sized = replace(
            schema, tables=tuple(replace(t, statistics=TableStatistics(rows, 0, 0, 0, 0, 0, 0)) for t in schema.tables)
        )
        severities.append([str(finding.severity) for finding in StatementWithoutIndex().detect(statement, sized)])
    assert severities == [[], ["info"], ["warning"]]


def test_shapes_of_the_source_become_statements(schema: Schema) -> None:
    conditions = (
        Condition("tenant_id", Use.EQUAL),
        Condition("status", Use.EQUAL, literal="'open'"),
        Condition("note", Use.PREFIX, optional=True),
        Condition("created_at", Use.RANGE, function="date"),
        Condition("active", Use.IS_NOT_NULL),
    )
    shape = QueryShape(
        "public.orders", conditions=conditions, order=(OrderKey("created_at", True),), limit=True,
        fetched=("id",), places=(Place("app.py", 7, "f"),),
    )  # fmt: skip
    texts = [item.text for item in workload_of(Evidence("source", (shape,))).statements]
    assert texts == [
        "SELECT id FROM public.orders WHERE tenant_id = $1 AND status = 'open' AND note LIKE 'abcd%' AND "
        "date(created_at) >= $2 AND active IS NOT NULL ORDER BY created_at DESC LIMIT 20",
        "SELECT id FROM public.orders WHERE tenant_id = $1 AND status = 'open' AND date(created_at) >= $2 AND "
        "active IS NOT NULL ORDER BY created_at DESC LIMIT 20",
    ]


@pytest.mark.parametrize(
    ("shape", "kind", "text"),
    [
        (QueryShape("orders", "delete", (Condition("created_at", Use.RANGE, operator="<"),)), "delete",
         "DELETE FROM orders WHERE created_at < $1"),
        (QueryShape("orders", "update", (Condition("status", Use.EQUAL),), assigned=("note", "active")), "update",
         "UPDATE orders SET note = $2, active = $3 WHERE status = $1"),
        # What it sets is not known: the query that finds the rows.
        (QueryShape("orders", "update", (Condition("status", Use.EQUAL),)), "select",
         "SELECT * FROM orders WHERE status = $1"),
        (QueryShape("orders", conditions=(Condition("created_at", Use.RANGE, operator="between"),)), "select",
         "SELECT * FROM orders WHERE created_at BETWEEN $1 AND $2"),
    ],
)  # fmt: skip
def test_a_statement_is_shown_as_what_it_is(shape: QueryShape, kind: str, text: str, schema: Schema) -> None:
    asked = workload_of(Evidence("source", (replace(shape, places=(Place("app.py", 7, "f"),)),)))
    (statement,) = asked.statements
    assert (statement.kind, statement.text) == (kind, text)
    (finding,) = QueryWithoutIndex().detect(asked, schema)
    assert text in finding.message


APP = """
from sqlalchemy import BigInteger, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    __table_args__ = {"info": {"pgpatterns": {"rows": 5_000_000}}}
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    line: Mapped[str] = mapped_column(Text)


def by_line(session, line):
    return session.scalars(select(Note).where(Note.line == line)).all()
"""


def test_pgcheck_reports_queries_of_the_source(tmp_path: Path) -> None:
    project: Project = make(tmp_path)
    project.write("app.py", APP)
    project.env(models="import sys; sys.path.insert(0, '.')\nfrom app import Base\ntarget_metadata = Base.metadata")
    project.sql("a1", "CREATE TABLE note (id bigint PRIMARY KEY, line text NOT NULL)")
    run = project.alembic("pgcheck", "--format", "json", "--exit-zero", "--select", "query-without-index")
    assert run.returncode == 0, run.stderr
    (finding,) = json.loads(run.stdout)["findings"]
    assert finding["severity"] == "warning"
    assert finding["location"] == {"path": "app.py", "line": 18}
    assert finding["remedy"]["model"] == ['Index("ix_note_line", "line")']
