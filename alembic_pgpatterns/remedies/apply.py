"""Remedies applied to SQLAlchemy MetaData, in place: to a copy of the application's, never to its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, Column, Index, MetaData, Table, UniqueConstraint, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import conv
from sqlalchemy.types import String, Text, TypeEngine

from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    IndexedKey,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    SetDefault,
    SetNotNull,
    TypeChange,
)
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.remedies.sql import key_sql
from alembic_pgpatterns.remedies.sqlalchemy_types import sqlalchemy_type
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.binds import escape_binds

Applied = tuple[object, ...] | None


@singledispatch
def apply(remedy: Remedy, metadata: MetaData, default_schema: str) -> Applied:
    """Change the MetaData as the remedy says.

    Args:
        remedy: what to do.
        metadata: where; it is changed.
        default_schema: the schema of tables that name none.

    Returns:
        The indexes, columns and constraints that were added or changed, which are none where another remedy did it
        already; None where models cannot express the remedy, or it is not certain how.
    """
    return None


@apply.register
def _(remedy: CreateIndex, metadata: MetaData, default_schema: str) -> Applied:
    table = find_table(metadata, remedy.table, default_schema)
    if table is None:
        return None
    if any(index.name == index_name(remedy) for index in table.indexes):
        return ()
    index = sqlalchemy_index(remedy, table)
    index._set_parent(table)
    return (index,)


@apply.register
def _(remedy: ReplaceIndex, metadata: MetaData, default_schema: str) -> Applied:
    table = find_table(metadata, remedy.new.table, default_schema)
    indexes = table.indexes if table is not None else ()
    old = next((index for index in indexes if index.name == remedy.index.name), None)
    if table is None or old is None:
        return None
    table.indexes.discard(old)
    return apply(remedy.new, metadata, default_schema)


@apply.register
def _(remedy: ReplaceUnique, metadata: MetaData, default_schema: str) -> Applied:
    table = find_table(metadata, remedy.table, default_schema)
    if table is None or not _take_unique(table, remedy.columns):
        return None
    return apply(remedy.new, metadata, default_schema)


@apply.register
def _(remedy: ChangeType, metadata: MetaData, default_schema: str) -> Applied:
    planned = [(_column(metadata, change, default_schema), change) for change in remedy.changes]
    types: list[Any] = [sqlalchemy_type(change.new) for _, change in planned]
    if None in types or any(column is None for column, _ in planned):
        return None
    changed: list[object] = []
    for (column, change), made in zip(planned, types, strict=True):
        assert column is not None
        new = _kept_collation(column.type, made)
        if _spelled(new) == _spelled(column.type):
            continue
        column.type = new
        changed.append(column)
        changed += _length_check(column, change)
    return tuple(changed)


@apply.register
def _(remedy: SetNotNull, metadata: MetaData, default_schema: str) -> Applied:
    table = find_table(metadata, remedy.table, default_schema)
    column = _named(table, remedy.column)
    if column is None:
        return None
    column.nullable = False
    return (column,)


@apply.register
def _(remedy: SetDefault, metadata: MetaData, default_schema: str) -> Applied:
    from sqlalchemy import DefaultClause

    column = _named(find_table(metadata, remedy.table, default_schema), remedy.column)
    if column is None:
        return None
    if remedy.replaces_python_default:
        column.default = None
    column.server_default = DefaultClause(text(escape_binds(remedy.new)))
    return (column,)


def find_table(metadata: MetaData, name: Name, default_schema: str) -> Table | None:
    """The table of that name, whether its schema is written or left to the default."""
    for table in metadata.tables.values():
        if table.name == name.name and (table.schema or default_schema) == name.schema:
            return table
    return None


def sqlalchemy_index(remedy: CreateIndex, table: Table) -> Index:
    """The Index, not yet attached to the table."""
    opclasses = {key.column: key.opclass for key in remedy.keys if key.opclass and key.column}
    options: dict[str, Any] = {
        "postgresql_using": remedy.method if remedy.method != "btree" else None,
        "postgresql_ops": opclasses or None,
        "postgresql_include": list(remedy.include) or None,
        "postgresql_where": text(escape_binds(remedy.where)) if remedy.where else None,
        "postgresql_nulls_not_distinct": remedy.nulls_not_distinct or None,
        "postgresql_with": dict(remedy.options) or None,
    }
    set_options = {name: value for name, value in options.items() if value is not None}
    return Index(index_name(remedy), *(_key(key, table) for key in remedy.keys), unique=remedy.unique, **set_options)


def _key(key: IndexedKey, table: Table) -> Any:
    column = _named(table, key.column) if key.column is not None else None
    if column is not None and key.plain:
        return column
    return text(escape_binds(key_sql(key, with_opclass=True)))


def _named(table: Table | None, name: str | None) -> Column[Any] | None:
    if table is None:
        return None
    return next((column for column in table.columns if column.name == name), None)


def _column(metadata: MetaData, change: TypeChange, default_schema: str) -> Column[Any] | None:
    return _named(find_table(metadata, change.table, default_schema), change.column)


def _spelled(type_: TypeEngine[Any]) -> str:
    return type_.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


def _kept_collation(old: TypeEngine[Any], new: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(old, ARRAY) and isinstance(new, ARRAY):
        return postgresql.ARRAY(_kept_collation(old.item_type, new.item_type))
    if isinstance(old, String) and isinstance(new, String) and old.collation:
        return Text(collation=old.collation) if isinstance(new, Text) else String(new.length, old.collation)
    return new


def _length_check(column: Column[Any], change: TypeChange) -> list[object]:
    if not change.check:
        return []
    name = None if change.check_name is None else conv(change.check_name)
    check = CheckConstraint(text(escape_binds(change.check)), name=name)
    column.table.append_constraint(check)
    return [check]


def _take_unique(table: Table, columns: Sequence[str]) -> bool:
    """Take out the unique constraint, unique index or ``unique=True`` over the columns."""
    if len(columns) == 1 and (column := _named(table, columns[0])) is not None:
        # Another copy of the table would bring the constraint back.
        column.unique = None
    for constraint in list(table.constraints):
        if isinstance(constraint, UniqueConstraint) and [column.name for column in constraint.columns] == list(columns):
            table.constraints.discard(constraint)
            return True
    for index in list(table.indexes):
        if index.unique and [getattr(key, "name", None) for key in index.expressions] == list(columns):
            table.indexes.discard(index)
            return True
    return False
