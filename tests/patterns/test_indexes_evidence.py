"""Findings about indexes that depend on queries: a guess without one, with one it is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, Place, QueryShape, Use
from alembic_pgpatterns.patterns import Basis, Finding, registry
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import TableStatistics

pytestmark = pytest.mark.usefixtures("held_messages")

LOST = "CREATE TABLE parcel (id bigint PRIMARY KEY, shelf text, is_lost boolean NOT NULL DEFAULT false);"
MEMBER = "CREATE TABLE member (id bigint PRIMARY KEY, name text, {columns}); CREATE INDEX member_name ON member (name);"
QUEUE = "CREATE TABLE job (id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'pending', created_at timestamptz);"
ORDERED = """
    CREATE TABLE visit (id bigint PRIMARY KEY, status text, seen_at timestamptz);
    CREATE INDEX visit_seen_status ON visit (seen_at, status);
"""
LOG = "CREATE TABLE audit_log (id bigint PRIMARY KEY, what text, created_at timestamptz NOT NULL DEFAULT now());"


def query(table: str, *conditions: Condition, line: int = 7, **more: Any) -> QueryShape:
    return QueryShape(table, conditions=conditions, places=(Place("app/repos.py", line),), **more)


def found(database: Any, name: str, script: str, *shapes: QueryShape) -> Finding | None:
    with database.connect() as connection:
        connection.execute(script)
        schema = replace(catalog.read(connection), evidence=Evidence("source", shapes))
    pattern: Any = registry()[name](target_version=18)
    findings = list(pattern.detect(schema))
    assert len(findings) <= 1
    return findings[0] if findings else None


EQUAL, IS_NULL, RANGE, JOIN = Use.EQUAL, Use.IS_NULL, Use.RANGE, Use.JOIN
SUPPORTED = {
    "index-on-flag": (
        LOST + "CREATE INDEX parcel_lost ON parcel (is_lost);",
        (
            query("parcel", Condition("is_lost", EQUAL, "true")),
            query("public.parcel", Condition("is_lost", EQUAL, "true")),
        ),
        "; only true is searched for in 2 queries, first app/repos.py:7",
        "CREATE INDEX parcel_lost_partial ON public.parcel (id) WHERE is_lost",
    ),
    "index-on-soft-deleted": (
        MEMBER.format(columns="deleted_at timestamptz"),
        (query("member", Condition("name", EQUAL), Condition("deleted_at", IS_NULL)),),
        "; deleted_at IS NULL is asked for in 1 query, app/repos.py:7",
        "CREATE INDEX member_name_partial ON public.member (name) WHERE deleted_at IS NULL",
    ),
    "unindexed-document": (
        "CREATE TABLE article (id bigint PRIMARY KEY, labels jsonb);",
        (query("article", Condition("labels", Use.KEY)),),
        "; it is searched in 1 query, app/repos.py:7",
        "CREATE INDEX ix_article_labels_gin ON public.article USING gin (labels)",
    ),
    "range-before-equality": (
        ORDERED,
        (query("visit", Condition("status", EQUAL), Condition("seen_at", RANGE)),),
        "; both are searched for together in 1 query, app/repos.py:7",
        "CREATE INDEX visit_seen_status_ordered ON public.visit (status, seen_at)",
    ),
    "unindexed-queue": (
        QUEUE,
        (query("job", Condition("status", EQUAL, "'pending'"), order=(OrderKey("created_at"),), limit=True),),
        "; they are asked for in 1 query, app/repos.py:7",
        "CREATE INDEX ix_job_created_at_partial ON public.job (created_at) WHERE status = 'pending'",
    ),
    "plain-index-on-time-series": (
        LOG,
        (query("audit_log", Condition("created_at", RANGE)),),
        "; spans of time are searched in 1 query, app/repos.py:7",
        "CREATE INDEX ix_audit_log_created_at_brin ON public.audit_log USING brin (created_at)",
    ),
}


@pytest.mark.parametrize("name", SUPPORTED)
def test_a_query_supports_the_finding_and_is_named(name: str, database: Any) -> None:
    script, shapes, said, statement = SUPPORTED[name]
    finding = found(database, name, script, *shapes)
    assert finding is not None and not finding.guess
    assert finding.message.endswith(said)
    assert finding.remedy is not None
    assert statement in [text.replace(" CONCURRENTLY", "").rstrip(";") for text in sql(finding.remedy)]


@pytest.mark.parametrize("name", SUPPORTED)
def test_without_a_query_it_is_a_guess(name: str, database: Any) -> None:
    finding = found(database, name, SUPPORTED[name][0], query("elsewhere", Condition("status", EQUAL)))
    assert finding is not None and finding.guess
    assert ";" not in finding.message


def test_a_priority_may_come_before_the_moment(database: Any) -> None:
    order = (OrderKey("priority", True), OrderKey("created_at"))
    shape = query("job", Condition("status", EQUAL, "'pending'"), order=order, limit=True)
    finding = found(database, "unindexed-queue", QUEUE, shape)
    assert finding is not None and not finding.guess


UNSUPPORTED = {
    "both values of a flag": (
        "index-on-flag",
        query("parcel", Condition("is_lost", EQUAL, "true")),
        query("parcel", Condition("is_lost", EQUAL, "false")),
    ),
    "a value that changes": ("index-on-flag", query("parcel", Condition("is_lost", EQUAL))),
    "an alternative": ("index-on-flag", query("parcel", Condition("is_lost", EQUAL, "true", alternative=True))),
    "deleted rows": ("index-on-soft-deleted", query("member", Condition("deleted_at", Use.IS_NOT_NULL))),
    "one value of a document": ("unindexed-document", query("article", Condition("labels", Use.PATH))),
    "only the range": ("range-before-equality", query("visit", Condition("seen_at", RANGE))),
    "another state": ("unindexed-queue", query("job", Condition("status", EQUAL, "'done'"), limit=True)),
    "another order": (
        "unindexed-queue",
        query("job", Condition("status", EQUAL, "'pending'"), order=(OrderKey("finished_at", True),), limit=True),
        query("job", Condition("status", EQUAL, "'pending'"), order=(OrderKey("owner"), OrderKey("created_at"))),
    ),
    "the latest few": (
        "plain-index-on-time-series",
        query("audit_log", Condition("created_at", RANGE)),
        query("audit_log", order=(OrderKey("created_at", True),), limit=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_other_queries_do_not_support_it(case: str, database: Any) -> None:
    name, *shapes = UNSUPPORTED[case]
    finding = found(database, name, SUPPORTED[name][0], *shapes)
    assert finding is not None and finding.guess


def test_a_flag_whose_value_nobody_asks_for_has_no_statement(database: Any) -> None:
    """The default says which value is frequent, not which one is searched for."""
    finding = found(database, "index-on-flag", SUPPORTED["index-on-flag"][0])
    assert finding is not None and isinstance(finding.remedy, Advice)


def test_a_flag_before_other_columns_leaves_these(database: Any) -> None:
    script = LOST + "CREATE INDEX parcel_lost ON parcel (is_lost, shelf);"
    finding = found(database, "index-on-flag", script, query("parcel", Condition("is_lost", EQUAL, "false")))
    assert finding is not None and finding.remedy is not None
    assert any("(shelf) WHERE NOT is_lost" in text for text in sql(finding.remedy))


BOTH = MEMBER.format(columns="deleted boolean NOT NULL DEFAULT false, deleted_at timestamptz")


def test_of_two_marks_of_deletion_the_one_that_is_asked_for(database: Any) -> None:
    asked = query("member", Condition("name", EQUAL), Condition("deleted", EQUAL, "false"))
    finding = found(database, "index-on-soft-deleted", BOTH, asked)
    assert finding is not None and finding.remedy is not None and not finding.guess
    assert any("WHERE NOT deleted" in text for text in sql(finding.remedy))


def test_an_index_that_serves_queries_for_deleted_rows_too(database: Any) -> None:
    living = query("member", Condition("name", EQUAL), Condition("deleted", EQUAL, "false"))
    assert found(database, "index-on-soft-deleted", BOTH, living, query("member", Condition("name", EQUAL))) is None


def test_an_index_that_is_partial_on_either_mark_is_right(database: Any) -> None:
    script = BOTH.replace("(name);", "(name) WHERE deleted = false;")
    assert found(database, "index-on-soft-deleted", script) is None


@pytest.mark.parametrize(
    ("kind", "rows", "guess"),
    [("source", None, True), ("workload", None, False), ("source", 50_000.0, False), ("workload", 50.0, True)],
)
def test_a_link_tables_way_back_counts_if_it_is_large(
    kind: Any, rows: float | None, guess: bool, database: Any
) -> None:
    pattern: Any = registry()["uncovered-lookup"]
    shape = query("product_tag", Condition("tag_id", JOIN))
    with database.connect() as connection:
        connection.execute(pattern.bad)
        schema = replace(catalog.read(connection), evidence=Evidence(kind, (shape,)))
    statistics = None if rows is None else TableStatistics(rows, 0, 0, 0, 0, 0, 0)
    schema = replace(schema, tables=tuple(replace(table, statistics=statistics) for table in schema.tables))
    (finding,) = pattern().detect(schema)
    assert finding.guess is guess
    assert finding.message.endswith("in 1 query, app/repos.py:7") is not guess


def test_statistics_are_evidence_too(new_database: Callable[[], Any]) -> None:
    database = new_database()
    pattern: Any = registry()["index-on-sparse-foreign-key"]
    with database.connect() as connection:
        connection.execute(pattern.bad)
        schema = catalog.read(connection)
    (finding,) = pattern().detect(schema)
    assert finding.guess and pattern.basis is Basis.QUERIES
