"""The contents of columns in a form that can be compared: a digest per value, computed on the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.revisions.plpgsql import columns_of_new
from alembic_pgpatterns.revisions.rehearsed import LostContent
from alembic_pgpatterns.schema.fill_triggers import FILLS
from alembic_pgpatterns.schema.model import Column, Name, Schema, Table


@dataclass(frozen=True, slots=True)
class Content:
    """One column: how many rows there are, and how often each digest of a value, with the key of its row, is there."""

    rows: int
    digests: Counter[int]

    @property
    def values(self) -> int:
        """Number of rows that have a value."""
        return self.digests.total()


Contents = dict[tuple[Name, str], Content]


def contents(connection: Any, schema: Schema) -> Contents:
    """The contents of all tables that have rows; without generated columns. Reads each table once.

    Args:
        connection: psycopg's, to a database that nobody changes at the same time.
        schema: as the catalog has it.
    """
    result: Contents = {}
    for table in schema.tables:
        if table.partition_of is None and table.kind in ("table", "partitioned"):
            result |= _of_table(connection, table)
    return result


def _of_table(connection: Any, table: Table) -> Contents:
    columns = [column for column in table.columns if column.generated is None]
    if not columns:
        return {}
    key = _key(table)
    parts = [
        sql.SQL(
            # One per row, and not one for all: a row that had no value may get one, which loses nothing. It is for the
            # few rows of the trial.
            "pg_catalog.array_agg(pg_catalog.hashtextextended({key} || {value}, 0)) FILTER (WHERE {c} IS NOT NULL)"
        ).format(c=sql.Identifier(column.name), key=key, value=_as_text(column))
        for column in columns
    ]
    query = sql.SQL("SELECT count(*), {} FROM {}").format(
        sql.SQL(", ").join(parts), sql.Identifier(table.name.schema, table.name.name)
    )
    try:
        row = connection.execute(query).fetchone()
    except psycopg.Error:
        return {}
    return {
        (table.name, column.name): Content(row[0], Counter(digests or ()))
        for column, digests in zip(columns, row[1:], strict=True)
    }


_EQUAL = {"json": "{}::jsonb::text", "numeric": "pg_catalog.trim_scale({})::text"}
"""Types of which equal values can have several texts: a document and its white space, 1.5 and 1.50."""


def _as_text(column: Column) -> sql.Composable:
    """The value as a text, the same for equal values."""
    form = "{}::text" if column.type.array else _EQUAL.get(column.type.name, "{}::text")
    return sql.SQL(form).format(sql.Identifier(column.name))


def _key(table: Table) -> sql.Composable:
    """The row's key as text, so that values that change rows are noticed; empty without a key."""
    names = table.primary_key.columns if table.primary_key is not None else ()
    parts = [sql.SQL("coalesce({}::text, '')").format(sql.Identifier(name)) for name in names]
    return sql.SQL("({} || '/')").format(sql.SQL(" || '/' || ").join(parts)) if parts else sql.SQL("''")


_FILLING = """
SELECT n.nspname, c.relname, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND pg_catalog.strpos(p.prosrc, %s) > 0
"""


def filled_by_triggers(connection: Any) -> frozenset[tuple[Name, str]]:
    """The columns that the triggers of changes of type in stages name: the old column and the new one."""
    rows = connection.execute(_FILLING, (FILLS,)).fetchall()
    return frozenset((Name(schema, table), column) for schema, table, code in rows for column in _fields(code))


def _fields(function: str) -> frozenset[str]:
    return columns_of_new(function) or frozenset()


def lost(
    before: Contents, back: Contents, between: Contents, filled: Set[tuple[Name, str]] = frozenset()
) -> Iterator[LostContent]:
    """What is gone or changed, in columns that exist before the upgrade and after the downgrade.

    A value where there was none is no loss: the upgrade fills NULLs, and the downgrade leaves them so.

    Args:
        before: before the upgrade.
        back: after upgrade and downgrade.
        between: after the upgrade.
        filled: columns that a change of type in stages fills from others. If the upgrade then drops or renames one, it
            held nothing of the user's.
    """
    counted: set[Name] = set()
    for (table, column), old in before.items():
        survives = (table, column) in between
        new = back.get((table, column))
        if new is None or table in counted or ((table, column) in filled and not survives):
            continue
        if new.rows != old.rows:
            # In a table with more or fewer rows every column changed.
            counted.add(table)
        if old.values and (old.digests - new.digests or new.rows != old.rows):
            yield LostContent(table, column, old.rows, old.values, new.values, survives, old.rows - new.rows)
