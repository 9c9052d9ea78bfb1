"""Drops that may be renames: models do not say, so the revision shows the operation that keeps the rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from alembic.operations import ops
from sqlalchemy import ARRAY, Column, Enum
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.types import NullType, TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text

Key = Callable[[Column[Any]], Hashable]


def column_hint(drop: ops.DropColumnOp, siblings: Iterable[ops.MigrateOperation]) -> tuple[str, ...]:
    """The lines that show the rename of a column, if exactly one of its type goes and one comes.

    If there is no such pair, a type of the same kind is enough: an enforced pattern makes `Text` of the model's
    ``String(32)``, so the column under its new name has another type than the database.

    Args:
        drop: of the column.
        siblings: the ops on the same table.
    """
    others = list(siblings)
    added = [op.column for op in others if isinstance(op, ops.AddColumnOp)]
    dropped = [_column(op) for op in others if isinstance(op, ops.DropColumnOp) and op._reverse is not None]
    old = next((column for column in dropped if column.name == drop.column_name), None)
    pairs = (_pair(old, dropped, added, key) for key in (_kind, _family))
    new = next((column for column in pairs if column is not None), None)
    if old is None or new is None or new.name == old.name:
        return ()
    where = f", schema={drop.schema!r}" if drop.schema else ""
    names = (drop.column_name, new.name)
    up, down = (
        f"op.alter_column({drop.table_name!r}, {str(first)!r}, new_column_name={str(then)!r}{where})"
        for first, then in (names, names[::-1])
    )
    types = (_kind(old), _kind(new))
    later = f"The next autogenerate then changes its type from {types[0]} to {types[1]}."
    return (
        f"If {new.name} is its new name, write instead of both, so that the values stay:",
        f"  {up}",
        *_back(down),
        *((later,) if types[0] != types[1] else ()),
    )


def _pair(
    old: Column[Any] | None, dropped: Sequence[Column[Any]], added: Sequence[Column[Any]], key: Key
) -> Column[Any] | None:
    """The new column, if it is the only one of its kind that comes and the old one the only one that goes."""
    kind = key(old) if old is not None else None
    if kind is None:
        return None
    going, coming = ([column for column in columns if key(column) == kind] for columns in (dropped, added))
    return coming[0] if len(going) == len(coming) == 1 else None


def table_hint(drop: ops.DropTableOp, operations: Sequence[ops.MigrateOperation]) -> tuple[str, ...]:
    """The lines that show the rename of a table, if exactly one that is created in its schema has its columns.

    If there is none, one with most of them is enough: with a table's name some columns often change too.
    """
    created = [op for op in operations if isinstance(op, ops.CreateTableOp) and op.schema == drop.schema]
    old = drop.reverse()
    alike = [[op for op in created if _columns(op, key) == _columns(old, key)] for key in (_kind, _family)]
    alike.append([op for op in created if _has_most(op, old)])
    same = next((tables for tables in alike if tables), [])
    if len(same) != 1:
        return ()
    where = f", schema={drop.schema!r}" if drop.schema else ""
    names = (drop.table_name, same[0].table_name)
    up, down = (f"op.rename_table({str(first)!r}, {str(then)!r}{where})" for first, then in (names, names[::-1]))
    later = "The next autogenerate then changes the columns that differ."
    return (
        f"If {same[0].table_name} is its new name, write instead of both, so that the rows stay:",
        f"  {up}",
        *_back(down),
        *((later,) if same is alike[-1] else ()),
    )


def _back(rename: str) -> tuple[str, str]:
    """The lines for the downgrade: what stands there drops the new name with its values, and creates the old one."""
    return ("And in downgrade(), in place of what undoes both:", f"  {rename}")


_MOST = 1 / 2
_FEW = 3


def _has_most(new: ops.CreateTableOp, old: ops.CreateTableOp) -> bool:
    """Whether two tables have most of their columns in common, and more than a key and a time stamp."""
    first, second = _columns(new, _family), _columns(old, _family)
    return len(first & second) > _FEW and len(first & second) > _MOST * max(len(first), len(second))


def _column(op: ops.DropColumnOp) -> Column[Any]:
    assert op._reverse is not None
    return op._reverse.column


def _columns(op: ops.CreateTableOp, key: Key) -> set[tuple[str, Hashable]]:
    return {(item.name, key(item)) for item in op.columns if isinstance(item, Column)}


def _kind(column: Column[Any]) -> str | None:
    """A column's type as SQL; None if SQLAlchemy cannot say it."""
    try:
        return type_text(column.type)
    except CompileError:
        return None


def _family(column: Column[Any]) -> Hashable:
    """What its type has in common with others of its kind, as text and varchar or integer and bigint have."""
    return _affinity(column.type)


def _affinity(kind: TypeEngine[Any]) -> Hashable:
    if isinstance(kind, postgresql.ARRAY | ARRAY):
        return ("array", _affinity(kind.item_type))
    # Enums and domains are types of their own, although SQLAlchemy's Enum is a String.
    if isinstance(kind, Enum | postgresql.DOMAIN | NullType):
        return None
    affinity = kind._type_affinity
    return affinity.__name__ if affinity is not None else None
