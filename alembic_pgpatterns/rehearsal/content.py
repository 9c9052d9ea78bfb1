"""The contents of columns in a form that can be compared: a digest per column, computed on the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.revisions.rehearsed import LostContent
from alembic_pgpatterns.schema.model import Name, Schema, Table


@dataclass(frozen=True, slots=True)
class Content:
    """One column: its number of values, and a digest of them with the keys of their rows, independent of the order."""

    rows: int
    values: int
    digest: str


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
            # A sum is the same in any order of the rows: a migration may rewrite the table.
            "count({c}), coalesce(sum(pg_catalog.hashtextextended({key} || {c}::text, 0)::numeric), 0)::text"
        ).format(c=sql.Identifier(column.name), key=key)
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
        (table.name, column.name): Content(row[0], row[1 + 2 * n], row[2 + 2 * n]) for n, column in enumerate(columns)
    }


def _key(table: Table) -> sql.Composable:
    """The row's key as text, so that values that change rows are noticed; empty without a key."""
    names = table.primary_key.columns if table.primary_key is not None else ()
    parts = [sql.SQL("coalesce({}::text, '')").format(sql.Identifier(name)) for name in names]
    return sql.SQL("({} || '/')").format(sql.SQL(" || '/' || ").join(parts)) if parts else sql.SQL("''")


def lost(before: Contents, back: Contents, between: Contents) -> Iterator[LostContent]:
    """What changed, in columns that exist before the upgrade and after the downgrade.

    Args:
        before: before the upgrade.
        back: after upgrade and downgrade.
        between: after the upgrade.
    """
    counted: set[Name] = set()
    for (table, column), old in before.items():
        new = back.get((table, column))
        if new is None or not old.rows or new == old or table in counted:
            continue
        if new.rows != old.rows:
            # In a table with more or fewer rows every column changed.
            counted.add(table)
        if old.values and (new.digest != old.digest or new.rows != old.rows):
            yield LostContent(
                table, column, old.rows, old.values, new.values, (table, column) in between, old.rows - new.rows
            )
