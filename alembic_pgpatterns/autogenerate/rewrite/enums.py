"""Enum types: created once, before their first use, and dropped by the downgrade.

Alembic keeps the type when it drops the table, creates it a second time with the next table that uses it, and does not
create it for a new column. Each of these fails.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import ARRAY, Column, Enum
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.indexes import qualified
from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def with_enum_types(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Create each new type where it is first used, and let the downgrade drop it.

    If alembic-postgresql-enum is in use, it takes care of the types and nothing is done here.
    """
    if facts.enum_plugin:
        return list(changes)
    existing = set(facts.enums)
    first: list[Change] = []
    result: list[Change] = []
    for original in changes:
        change = replace(original, down=tuple(_brought_back(op, facts) for op in original.down))
        if isinstance(change.up, ops.CreateTableOp):
            result.append(_of_table(change, change.up, existing, facts))
            continue
        if isinstance(change.up, ops.AddColumnOp):
            first.extend(_of_column(change.up.column, existing, facts))
        result.append(change)
    return [*first, *result]


def _brought_back(op: ops.MigrateOperation, facts: Facts) -> ops.MigrateOperation:
    """Return the create_table of a downgrade without creating types: they still exist."""
    if not isinstance(op, ops.CreateTableOp):
        return op
    return _of_table(Change(op), op, set(facts.enums), facts).up


def _of_column(column: Column[Any], existing: set[TableKey], facts: Facts) -> Iterator[Change]:
    """Create the type of a new column, which add_column does not do."""
    native = native_enum(column.type)
    if native is None or (key := facts.key(native.schema, str(native.name))) in existing:
        return
    existing.add(key)
    name = qualified(native.schema, str(native.name))
    labels = ", ".join("'" + label.replace("'", "''") + "'" for label in native.enums)
    yield Change(SqlOp(f"CREATE TYPE {name} AS ENUM ({labels})"), (SqlOp(f"DROP TYPE IF EXISTS {name}"),))


def _of_table(change: Change, op: ops.CreateTableOp, existing: set[TableKey], facts: Facts) -> Change:
    """Let a new table create the types that are new with it, and no other."""
    columns: list[Any] = []
    drops: list[SqlOp] = []
    for item in op.columns:
        native = native_enum(item.type) if isinstance(item, Column) else None
        if native is None:
            columns.append(item)
        elif (key := facts.key(native.schema, str(native.name))) in existing:
            columns.append(_without_creation(item, native))
        else:
            existing.add(key)
            columns.append(item)
            drops.append(SqlOp(f"DROP TYPE IF EXISTS {qualified(native.schema, str(native.name))}"))
    if all(old is new for old, new in zip(op.columns, columns, strict=True)) and not drops:
        return change
    return replace(change, up=altered(op, columns=columns), down=(*change.down, *drops))


def native_enum(kind: TypeEngine[Any]) -> postgresql.ENUM | None:
    """Return the PostgreSQL enum that a type, or an array's items, is stored as, if SQLAlchemy would create it."""
    item = kind.item_type if isinstance(kind, ARRAY) else kind
    native = item.dialect_impl(_dialect) if isinstance(item, Enum) else None
    return native if isinstance(native, postgresql.ENUM) and native.create_type and native.name else None


class ENUM(postgresql.ENUM):
    """An enum whose repr has ``create_type=False``. SQLAlchemy's own repr has it only from 2.1 on.

    Alembic renders types by their repr and their module.
    """

    __module__ = "sqlalchemy.dialects.postgresql"

    def __repr__(self) -> str:
        """The constructor's call."""
        shown = super().__repr__()
        return shown if "create_type=" in shown else f"{shown[:-1]}, create_type=False)"


def _without_creation(column: Any, native: postgresql.ENUM) -> Column[Any]:
    """Return a copy of a column whose type exists. The column itself belongs to the application."""
    existing = ENUM(*native.enums, name=str(native.name), schema=native.schema, create_type=False)
    new: Column[Any] = column._copy()
    if isinstance(column.type, ARRAY):
        array = copy.copy(column.type)
        array.item_type = existing
        new.type = array
    else:
        new.type = existing
    return new
