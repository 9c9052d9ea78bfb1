"""Remedies as Alembic's own operations, for revisions and for what a suggestion shows."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from alembic.operations import ops
from sqlalchemy import DefaultClause, Index, MetaData, Table, text
from sqlalchemy.schema import conv

from alembic_pgpatterns.remedies.apply import sqlalchemy_index
from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    DropConstraint,
    DropIndex,
    RebuildIndex,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    SetDefault,
    SetNotNull,
    Statements,
    TypeChange,
    ValidateConstraint,
)
from alembic_pgpatterns.remedies.sql import sequences_sql, sql
from alembic_pgpatterns.remedies.sqlalchemy_types import sqlalchemy_type
from alembic_pgpatterns.remedies.type_operations import AlterTypeOp
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.binds import escape_binds

Operations = tuple[ops.MigrateOperation, ...]


@singledispatch
def operations(remedy: Remedy, default_schema: str) -> Operations:
    """The operations of a remedy in their plain form. The rewriter makes them safe. None for an Advice."""
    return ()


@operations.register
def _(remedy: CreateIndex, default_schema: str) -> Operations:
    return (_create(remedy, default_schema),)


@operations.register
def _(remedy: DropIndex, default_schema: str) -> Operations:
    return (_drop(remedy.index, remedy.table, remedy.recreate, default_schema),)


@operations.register
def _(remedy: RebuildIndex, default_schema: str) -> Operations:
    again = remedy.recreate
    return (_drop(remedy.index, remedy.table, again, default_schema), _create(again, default_schema))


@operations.register
def _(remedy: ReplaceIndex, default_schema: str) -> Operations:
    new = remedy.new
    return (_create(new, default_schema), _drop(remedy.index, new.table, remedy.recreate, default_schema))


@operations.register
def _(remedy: ReplaceUnique, default_schema: str) -> Operations:
    create = _create(remedy.new, default_schema)
    if remedy.constraint is None:
        return (create,)
    schema = _schema(remedy.table, default_schema)
    return (create, ops.DropConstraintOp(remedy.constraint, remedy.table.name, "unique", schema=schema))


@operations.register
def _(remedy: ChangeType, default_schema: str) -> Operations:
    altered = [_alter_type(change, default_schema) for change in remedy.changes]
    alter_ops = [op for op in altered if op is not None]
    if len(alter_ops) < len(altered):
        return _executed(remedy)
    sequences = (ops.ExecuteSQLOp(escape_binds(statement)) for statement in sequences_sql(remedy))
    checks = (_check(change, default_schema) for change in remedy.changes if change.check)
    return (*alter_ops, *sequences, *checks)


@operations.register
def _(remedy: SetNotNull, default_schema: str) -> Operations:
    schema = _schema(remedy.table, default_schema)
    return (
        ops.AlterColumnOp(
            remedy.table.name, remedy.column, schema=schema, modify_nullable=False, existing_nullable=True
        ),
    )


@operations.register
def _(remedy: SetDefault, default_schema: str) -> Operations:
    schema = _schema(remedy.table, default_schema)
    old = (
        DefaultClause(text(escape_binds(remedy.old))) if remedy.old is not None else None
    )  # a bare text() renders without its call
    return (
        ops.AlterColumnOp(
            remedy.table.name,
            remedy.column,
            schema=schema,
            modify_server_default=DefaultClause(text(escape_binds(remedy.new))),
            existing_server_default=old,
        ),
    )


@operations.register(ValidateConstraint)
@operations.register(DropConstraint)
@operations.register(Statements)
def _(remedy: Remedy, default_schema: str) -> Operations:
    return _executed(remedy)


def _executed(remedy: Remedy) -> Operations:
    return tuple(ops.ExecuteSQLOp(escape_binds(statement)) for statement in sql(remedy))


def _schema(table: Name, default_schema: str) -> str | None:
    return None if table.schema == default_schema else table.schema


def _create(remedy: CreateIndex, default_schema: str) -> ops.CreateIndexOp:
    return ops.CreateIndexOp.from_index(_index(remedy, default_schema))


def _index(remedy: CreateIndex, default_schema: str) -> Index:
    table = Table(remedy.table.name, MetaData(), schema=_schema(remedy.table, default_schema))
    index = sqlalchemy_index(remedy, _with_columns(table, remedy))
    index._set_parent(table)
    return index


def _with_columns(table: Table, remedy: CreateIndex) -> Table:
    from sqlalchemy import Column

    names = [key.column for key in remedy.keys if key.column is not None] + list(remedy.include)
    for name in dict.fromkeys(names):
        table.append_column(Column(name))
    return table


def _drop(index: Name, table: Name, recreate: CreateIndex, default_schema: str) -> ops.DropIndexOp:
    drop = ops.DropIndexOp.from_index(
        _index(recreate, default_schema)
    )  # so that the downgrade restores unique, WHERE and so on
    drop.index_name, drop.table_name, drop.schema = index.name, table.name, _schema(table, default_schema)
    return drop


def _check(change: TypeChange, default_schema: str) -> ops.CreateCheckConstraintOp:
    """An operation and no statement, so that the rewriter adds the CHECK as NOT VALID and validates it later."""
    condition = text(escape_binds(str(change.check)))
    name = None if change.check_name is None else conv(change.check_name)
    schema = _schema(change.table, default_schema)
    return ops.CreateCheckConstraintOp(name, change.table.name, condition, schema=schema)


def _alter_type(change: TypeChange, default_schema: str) -> ops.AlterColumnOp | None:
    new, old = sqlalchemy_type(change.new), sqlalchemy_type(change.old)
    if new is None:
        return None
    options: dict[str, Any] = {"postgresql_using": change.using} if change.using else {}
    return (AlterTypeOp if change.using else ops.AlterColumnOp)(
        change.table.name,
        change.column,
        schema=_schema(change.table, default_schema),
        modify_type=new,
        existing_type=old,
        **options,
    )
