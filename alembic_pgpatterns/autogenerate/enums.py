"""Enum types that a downgrade would leave behind: Alembic drops the table and keeps the type.

The next upgrade then fails, since the type exists already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import ARRAY, Column, Enum
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.autogenerate.changes import Change
from alembic_pgpatterns.autogenerate.facts import Facts
from alembic_pgpatterns.autogenerate.rendering import SqlOp
from alembic_pgpatterns.autogenerate.road_indexes import qualified

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def with_enum_types(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """The changes, with the types that the upgrade creates dropped by the downgrade.

    Nothing is done where alembic-postgresql-enum is at work: the types are its business.
    """
    if facts.enum_plugin:
        return list(changes)
    seen = set(facts.enums)
    result = []
    for change in changes:
        drops = []
        for schema, name in _types(change.up):
            if (key := facts.key(schema, name)) not in seen:
                seen.add(key)
                drops.append(SqlOp(f"DROP TYPE IF EXISTS {qualified(schema, name)}"))
        result.append(replace(change, down=(*change.down, *drops)) if drops else change)
    return result


def _types(op: ops.MigrateOperation) -> Iterator[tuple[str | None, str]]:
    for column in _columns(op):
        kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
        native = kind.dialect_impl(_dialect) if isinstance(kind, Enum) else None
        if isinstance(native, postgresql.ENUM) and native.create_type and native.name:
            yield (native.schema, str(native.name))


def _columns(op: ops.MigrateOperation) -> Iterable[Column[Any]]:
    if isinstance(op, ops.CreateTableOp):
        return [item for item in op.columns if isinstance(item, Column)]
    return [op.column] if isinstance(op, ops.AddColumnOp) else []

