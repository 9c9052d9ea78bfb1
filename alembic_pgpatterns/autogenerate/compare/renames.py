"""Drops that may be renames: models do not say, so the revision shows the operation that keeps the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alembic.operations import ops
from sqlalchemy import Column
from sqlalchemy.exc import CompileError

from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text


def column_hint(drop: ops.DropColumnOp, siblings: Iterable[ops.MigrateOperation]) -> tuple[str, ...]:
    """The lines that show the rename of a column, if exactly one of its type goes and one comes.

    Args:
        drop: of the column.
        siblings: the ops on the same table.
    """
    kind = _kind(drop._reverse.column) if drop._reverse is not None else None
    if kind is None:
        return ()
    others = list(siblings)
    added = [op.column.name for op in others if isinstance(op, ops.AddColumnOp) and _kind(op.column) == kind]
    dropped = [op for op in others if isinstance(op, ops.DropColumnOp) and op._reverse is not None]
    if len(added) != 1 or [op.column_name for op in dropped if _kind(_column(op)) == kind] != [drop.column_name]:
        return ()
    where = f", schema={drop.schema!r}" if drop.schema else ""
    rename = f"op.alter_column({drop.table_name!r}, {drop.column_name!r}, new_column_name={added[0]!r}{where})"
    return (f"If {added[0]} is its new name, write instead of both, so that the values stay:", f"  {rename}")


def table_hint(drop: ops.DropTableOp, operations: Sequence[ops.MigrateOperation]) -> tuple[str, ...]:
    """The lines that show the rename of a table, if exactly one with the same columns is created in its schema."""
    created = [op for op in operations if isinstance(op, ops.CreateTableOp) and op.schema == drop.schema]
    same = [op for op in created if _columns(op) == _columns(drop.reverse())]
    if len(same) != 1:
        return ()
    where = f", schema={drop.schema!r}" if drop.schema else ""
    rename = f"op.rename_table({drop.table_name!r}, {same[0].table_name!r}{where})"
    return (f"If {same[0].table_name} is its new name, write instead of both, so that the rows stay:", f"  {rename}")


def _column(op: ops.DropColumnOp) -> Column[Any]:
    assert op._reverse is not None
    return op._reverse.column


def _columns(op: ops.CreateTableOp) -> set[tuple[str, str | None]]:
    return {(item.name, _kind(item)) for item in op.columns if isinstance(item, Column)}


def _kind(column: Column[Any]) -> str | None:
    """A column's type as SQL; None if SQLAlchemy cannot say it."""
    try:
        return type_text(column.type)
    except CompileError:
        return None
