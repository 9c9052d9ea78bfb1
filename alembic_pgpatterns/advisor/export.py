"""Statistics of a live database for planning elsewhere, without values that could identify a person.

Rows and pages come from pg_class, which every role may read. Statistics of columns come from pg_stats, which shows the
columns that the role may SELECT; no table is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, LiteralString

import psycopg

from alembic_pgpatterns.advisor.statistics import EXPORT
from alembic_pgpatterns.advisor.synthesise import listed_values
from alembic_pgpatterns.output.counts import counted, listed

VERSION = 1
MOST_VALUES = 50
"""Different values of a column up to which its most common ones are kept: more of them are data, not kinds."""
TIMES = frozenset({"timestamptz", "timestamp", "date", "time", "timetz"})
NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})

_TABLES: LiteralString = """
    SELECT n.nspname, c.relname, c.reltuples, c.relpages, c.oid::bigint
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2
"""
# most_common_vals is of the pseudo-type anyarray, which casts to nothing but text.
_COLUMNS: LiteralString = """
    SELECT s.schemaname, s.tablename, s.attname, coalesce(b.typname, t.typname), coalesce(b.typtype, t.typtype),
           s.null_frac, s.avg_width, s.n_distinct, s.correlation,
           CASE WHEN s.n_distinct BETWEEN 0 AND %s THEN s.most_common_vals::text::text[] END,
           CASE WHEN s.n_distinct BETWEEN 0 AND %s THEN s.most_common_freqs::float8[] END,
           CASE WHEN coalesce(b.typname, t.typname) = ANY(%s) THEN s.histogram_bounds::text::text[] END
    FROM pg_catalog.pg_stats s
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
      AND NOT s.inherited
"""
_CHECKS: LiteralString = """
    SELECT n.nspname, c.relname, pg_catalog.pg_get_expr(k.conbin, k.conrelid)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'c'
"""


def export(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """The statistics as a document for a file.

    Args:
        connection: to the live database. Nothing is written and no table is read; locks: ACCESS SHARE on catalogs.

    Raises:
        psycopg.Error: a catalog cannot be read.
    """
    allowed = _allowed_values(connection)
    columns, redacted = _columns(connection, allowed)
    rows = connection.execute(_TABLES).fetchall()
    tables = [
        {
            "schema": schema,
            "table": name,
            "rows": max(0, round(tuples)),
            "pages": pages,
            "columns": columns.get((schema, name), {}),
        }
        for schema, name, tuples, pages, _ in rows
    ]
    return {
        EXPORT: VERSION,
        "server_version": connection.info.server_version,
        "tables": tables,
        "redacted": redacted,
        "unreadable": [f"{schema}.{name}" for schema, name, *_ in rows if (schema, name) not in columns],
        "not_analyzed": [f"{schema}.{name}" for schema, name, tuples, *_ in rows if tuples < 0],
    }


def _columns(
    connection: psycopg.Connection[Any], allowed: Mapping[tuple[str, str, str], frozenset[str]]
) -> tuple[dict[tuple[str, str], dict[str, Any]], list[str]]:
    columns: dict[tuple[str, str], dict[str, Any]] = {}
    redacted: list[str] = []
    shown = [*sorted(TIMES), *sorted(NUMBERS)]
    for row in connection.execute(_COLUMNS, (MOST_VALUES, MOST_VALUES, shown)):
        schema, table, column, kind, category, null_frac, width, distinct, correlation, values, shares, bounds = row
        facts: dict[str, Any] = {"null_frac": null_frac, "avg_width": width, "n_distinct": distinct}
        # JSON has no NaN.
        if correlation is not None and math.isfinite(correlation):
            facts["correlation"] = correlation
        safe = kind in NUMBERS or kind in TIMES or kind == "bool" or category == "e"
        named = allowed.get((schema, table, column), frozenset())
        if values and (safe or set(values) <= named):
            facts |= {"values": values, "frequencies": shares}
        elif values:
            # Numbers without the values that they are of: how rare the rarest one is says much.
            facts["frequencies"] = shares
            redacted.append(f"{schema}.{table}.{column}")
        if bounds:
            facts["bounds"] = bounds
        columns.setdefault((schema, table), {})[column] = facts
    return columns, redacted


def _allowed_values(connection: psycopg.Connection[Any]) -> dict[tuple[str, str, str], frozenset[str]]:
    """The values in CHECK constraints. They are part of the schema, so they reveal nothing about the data."""
    return {
        (schema, table, column): values
        for schema, table, expression in connection.execute(_CHECKS)
        for column, values in _named(expression or "")
    }


def _named(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    listed = listed_values(expression)
    if listed is not None:
        yield listed[0], frozenset(listed[1])


def summary(document: Mapping[str, Any]) -> Sequence[str]:
    """Lines for people about what the export contains, and what it left out."""
    columns = sum(len(table["columns"]) for table in document["tables"])
    lines = [
        f"{counted(len(document['tables']), 'tables')}, {counted(columns, 'columns')}. "
        "Kept: shares of nulls, widths, numbers of different values, order on disk; bounds of times and numbers; the "
        "most common of at most "
        f"{MOST_VALUES} values of flags, enums, numbers and times, and of texts that a CHECK names. "
        "No other value of a column is in the file."
    ]
    for key, words in (
        ("redacted", "common values left out"),
        ("unreadable", "no statistics of columns (this role may not SELECT them, or no ANALYZE has run)"),
        ("not_analyzed", "number of rows not known (no ANALYZE or VACUUM has run)"),
    ):
        if document[key]:
            lines.append(f"{words}: {listed(document[key], 5)}")
    return lines
