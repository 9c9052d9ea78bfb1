"""Statistics for planning: read from a file, and given to the server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from alembic_pgpatterns.advisor.facts import ASSUMED, ColumnFacts, Statistics, TableSize
from alembic_pgpatterns.advisor.partitions import with_partitions
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.schema.model import Schema, Table, TableStatistics
from alembic_pgpatterns.schema.names import Name

EXPORT = "pgpatterns-statistics"
"""The key that marks an export of ``alembic pgstats``. Its value is the version."""
_LISTS = ("values", "frequencies", "bounds", "ranges", "lengths")
ASSUMED_ALONE = 1_000_000
"""Rows of a table if the rows of no table are known."""
ASSUMED_BESIDE = 10_000
"""Rows of a table without a number if others have one: large tables have one."""


def statistics_of(path: Path | None, schema: Schema) -> Statistics:
    """The statistics of a file; none where there is no file. Arguments and errors: see `read_statistics`."""
    return read_statistics(path, schema) if path is not None else Statistics()


def read_statistics(path: Path, schema: Schema) -> Statistics:
    """Sizes, and where the file is an export of ``alembic pgstats`` statistics of columns too.

    Args:
        path: an export, a JSON object of rows by table, or ``table rows`` per line.
        schema: in whose default schema names without one are.

    Raises:
        PgPatternsError: the file cannot be read, or a line is neither.
    """
    try:
        text = read_text(path)
        if text.lstrip().startswith("{"):
            document = json.loads(text)
            return _export(document) if EXPORT in document else _sizes(document.items(), path, schema)
        lines = (line.partition("#")[0].replace(",", " ").replace("|", " ").split() for line in text.splitlines())
        return _sizes([(line[0], line[1]) for line in lines if line], path, schema)
    except (OSError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise PgPatternsError(
            f"{path}: the statistics cannot be read: {error}. A line is `table rows`; "
            "`alembic pgstats -o FILE` writes an export."
        ) from error


def _sizes(pairs: Iterable[tuple[Any, Any]], path: Path, schema: Schema) -> Statistics:
    return Statistics({_name(str(name), schema): TableSize(float(rows), source=path.name) for name, rows in pairs})


def _name(text: str, schema: Schema) -> Name:
    owner, _, name = text.rpartition(".")
    return Name(owner.strip('"') or schema.default_schema, name.strip('"'))


def _export(document: Mapping[str, Any]) -> Statistics:
    sizes, columns = {}, {}
    for item in document["tables"]:
        table = Name(item["schema"], item["table"])
        sizes[table] = TableSize(float(item["rows"]), item.get("pages"), "export")
        for name, facts in item.get("columns", {}).items():
            tuples = {
                key: tuple(facts.get(key, ())) for key in ("values", "frequencies", "bounds", "ranges", "lengths")
            }
            columns[table, name] = ColumnFacts(**{**facts, **tuples})
    return Statistics(sizes, columns)


def with_sizes(statistics: Statistics, schema: Schema) -> Statistics:
    """The statistics with a size for every table: of the file, else declared in the models, else assumed."""
    sizes = dict(statistics.sizes)
    for table in schema.tables:
        declared = declared_rows(table)
        if table.name not in sizes and declared is not None:
            sizes[table.name] = TableSize(declared, source="declared")
    sizes = dict(with_partitions(sizes, schema))
    some = bool(sizes)
    for table in schema.tables:
        if table.name not in sizes:
            sizes[table.name] = TableSize(float(ASSUMED_BESIDE if some else ASSUMED_ALONE))
    return Statistics(with_partitions(sizes, schema), statistics.columns)


def declared_rows(table: Table) -> float | None:
    """``rows`` of the table's ``info``: production's number from the model."""
    rows = table.origin.info.get("rows")
    return float(rows) if isinstance(rows, int | float) and not isinstance(rows, bool) and rows > 0 else None


def with_rows(schema: Schema, sizes: Mapping[Name, TableSize]) -> Schema:
    """The schema with the rows of its tables if they are known: patterns use them."""
    measured = {name: size for name, size in sizes.items() if size.source != ASSUMED}
    tables = (
        replace(table, statistics=TableStatistics(measured[table.name].rows, 0, 0, 0, 0, 0, 0))
        if table.name in measured and table.statistics is None
        else table
        for table in schema.tables
    )
    return replace(schema, tables=tuple(tables))


_TYPES = {
    "null_frac": "real",
    "avg_width": "integer",
    "n_distinct": "real",
    "correlation": "real",
    "most_common_vals": "text",
    "most_common_freqs": "real[]",
    "histogram_bounds": "text",
    "most_common_elems": "text",
    "most_common_elem_freqs": "real[]",
    "range_bounds_histogram": "text",
    "range_length_histogram": "text",
    "range_empty_frac": "real",
}
COLUMNS_SINCE = 180000
"""The first PostgreSQL version that accepts statistics of columns (``pg_restore_attribute_stats``)."""


def load_columns(connection: psycopg.Connection[Any], statistics: Statistics) -> list[str]:
    """Give the server the statistics of columns. Returns messages about those that it refuses."""
    if connection.info.server_version < COLUMNS_SINCE:
        return ["this server accepts no statistics of columns (PostgreSQL 18 does): all columns are planned alike"]
    refused: list[str] = []
    for (table, column), facts in statistics.columns.items():
        try:
            load_column(connection, table, column, facts)
        except psycopg.Error as error:
            refused.append(f"statistics of {table}.{column} were refused: {first_line(error)}")
    return refused


def load_column(connection: psycopg.Connection[Any], table: Name, column: str, facts: ColumnFacts) -> None:
    """Give the server the statistics of one column, or of one attribute of an index on an expression."""
    values = {
        "null_frac": facts.null_frac,
        "avg_width": facts.avg_width,
        "n_distinct": facts.n_distinct,
        "correlation": facts.correlation,
        "most_common_vals": _array(facts.values) if facts.values else None,
        "most_common_freqs": list(facts.frequencies) if facts.values else None,
        "histogram_bounds": _array(facts.bounds) if len(facts.bounds) > 1 else None,
        "most_common_elems": _array(["0"]) if facts.element is not None else None,
        # The frequency of the element, the least and the largest one, and that of nulls (docs, "pg_stats").
        "most_common_elem_freqs": [facts.element] * 3 + [0.0] if facts.element is not None else None,
        "range_bounds_histogram": _array(facts.ranges) if facts.ranges else None,
        "range_length_histogram": _array(facts.lengths) if facts.lengths else None,
        "range_empty_frac": 0.0 if facts.lengths else None,
    }
    present = [(name, value) for name, value in values.items() if value is not None]
    pairs = "".join(f", %s::text, %s::{_TYPES[name]}" for name, _ in present)
    connection.execute(
        "SELECT pg_catalog.pg_restore_attribute_stats('schemaname', %s::text, 'relname', %s::text, 'attname', "
        f"%s::text, 'inherited', false{pairs})".encode(),
        (table.schema, table.name, column, *(part for pair in present for part in pair)),
    )


def _array(values: Iterable[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
