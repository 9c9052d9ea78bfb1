"""A schema with what a revision will require of its rows, so that the made-up rows satisfy it and can be measured."""

from __future__ import annotations

from dataclasses import replace

from alembic_pgpatterns.schema.model import UNKNOWN, Column, Name, Schema, Table
from alembic_pgpatterns.schema.sql.sqltext import column_references


def merged(before: Schema, after: Schema) -> Schema:
    """The tables of ``before`` with the constraints that ``after`` has on the same columns."""
    tables = {table.name: table for table in before.tables}
    return replace(before, tables=tuple(_merged(table, after.table(table.name), tables) for table in before.tables))


def expected_types(before: Schema, after: Schema) -> dict[tuple[Name, str], Column]:
    """Columns that get another type: their values must be readable as that type."""
    result = {}
    for table in before.tables:
        new = after.table(table.name)
        for column in table.columns:
            other = new.column(column.name) if new is not None else None
            if other is not None and other.type.same_storage != column.type.same_storage:
                result[(table.name, column.name)] = other
    return result


def _merged(table: Table, after: Table | None, tables: dict[Name, Table]) -> Table:
    if after is None:
        return table
    names = {column.name for column in table.columns}
    existing = {check.expression for check in table.checks}
    checks = [
        check
        for check in after.checks
        if isinstance(check.expression, str)
        and check.expression not in existing
        and (column_references(check.expression) or frozenset()) <= names
    ]
    indexes = [
        index
        for index in after.indexes
        if index.unique
        and index not in table.indexes
        and all(key.column in names or (key.expression is not UNKNOWN and key.column is None) for key in index.keys)
    ]
    keys = [
        key
        for key in after.foreign_keys
        if set(key.columns) <= names
        and key.columns not in {other.columns for other in table.foreign_keys}
        and _has(tables.get(key.referred_table), key.referred_columns)
    ]
    return replace(
        table,
        columns=tuple(_column(column, after.column(column.name)) for column in table.columns),
        checks=(*table.checks, *checks),
        indexes=(*table.indexes, *indexes),
        foreign_keys=(*table.foreign_keys, *keys),
    )


def _has(table: Table | None, columns: tuple[str, ...]) -> bool:
    return table is not None and all(table.column(name) is not None for name in columns)


def _column(column: Column, after: Column | None) -> Column:
    if after is None:
        return column
    return replace(column, nullable=column.nullable and after.nullable)
