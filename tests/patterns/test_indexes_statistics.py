"""What index patterns make of a live database's statistics, and of options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns.indexes.index_on_soft_deleted import IndexOnSoftDeleted
from alembic_pgpatterns.patterns.indexes.index_on_sparse_foreign_key import IndexOnSparseForeignKey
from alembic_pgpatterns.patterns.indexes.plain_index_on_time_series import (
    PlainIndexOnTimeSeries,
    PlainIndexOnTimeSeriesOptions,
)
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import ColumnStatistics, Schema, TableStatistics

pytestmark = pytest.mark.usefixtures("held_messages")


def read(database: Any, script: str) -> Schema:
    with database.connect() as connection:
        connection.execute(script)
        return catalog.read(connection)


def with_statistics(schema: Schema, rows: float, null_frac: float) -> Schema:
    tables = tuple(
        replace(
            table,
            statistics=TableStatistics(rows, 0, 0, 0, 0, 0, 0),
            columns=tuple(replace(column, statistics=ColumnStatistics(null_frac, -1)) for column in table.columns),
        )
        for table in schema.tables
    )
    return replace(schema, tables=tables)


@pytest.mark.parametrize(("null_frac", "found"), [(0.0, 0), (0.5, 0), (0.51, 1), (1.0, 1)])
def test_a_key_is_sparse_where_more_than_half_is_null(database: Any, null_frac: float, found: int) -> None:
    schema = with_statistics(read(database, IndexOnSparseForeignKey.bad), 1000, null_frac)
    assert len(list(IndexOnSparseForeignKey().detect(schema))) == found


@pytest.mark.parametrize(("rows", "found"), [(-1, 1), (99_999, 0), (100_000, 1)])
def test_a_small_time_series_needs_no_brin(database: Any, rows: float, found: int) -> None:
    """Rows are -1 where nobody has counted them (pg_class.reltuples)."""
    schema = with_statistics(read(database, PlainIndexOnTimeSeries.bad), rows, 0)
    assert len(list(PlainIndexOnTimeSeries().detect(schema))) == found


def test_word_lists_are_options(database: Any) -> None:
    schema = read(
        database,
        """
        CREATE TABLE visit (id bigint PRIMARY KEY, name text, gone_at timestamptz);
        CREATE INDEX visit_name ON visit (name);
        CREATE TABLE ping (id bigint PRIMARY KEY, seen timestamptz DEFAULT now());
        """,
    )
    assert list(IndexOnSoftDeleted().detect(schema)) == []
    assert list(PlainIndexOnTimeSeries().detect(schema)) == []
    soft = IndexOnSoftDeleted.Options(columns=("gone_at",))
    assert [finding.object for finding in IndexOnSoftDeleted(soft).detect(schema)] == ["public.visit_name"]
    series = PlainIndexOnTimeSeriesOptions(kinds=("ping",), moments=("seen",))
    assert [finding.object for finding in PlainIndexOnTimeSeries(series).detect(schema)] == ["public.ping.seen"]


@pytest.mark.parametrize(("value", "found"), [("NULL", 1), ("1", 0)])
def test_statistics_of_a_real_table_decide(database: Any, value: str, found: int) -> None:
    with database.connect() as connection:
        connection.execute(IndexOnSparseForeignKey.bad)
        connection.execute("INSERT INTO coupon VALUES (1)")
        connection.execute(f"INSERT INTO purchase SELECT n, {value} FROM generate_series(1, 100) n")
        connection.execute("ANALYZE")
        schema = catalog.read(connection, statistics=True)
    assert len(list(IndexOnSparseForeignKey().detect(schema))) == found
