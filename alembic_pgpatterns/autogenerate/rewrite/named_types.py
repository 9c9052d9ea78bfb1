"""Enums and domains: created once, before their first use, and dropped by the downgrade.

Alembic keeps the type when it drops the table, creates it a second time with the next table that uses it, and does not
create it for a new column. Each of these fails.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import ARRAY, Column, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.inner_types import create_statement, named_types_of, stored_type
from alembic_pgpatterns.autogenerate.rewrite.relation_names import names_freed
from alembic_pgpatterns.autogenerate.rewrite.rendering import DropTypeOp, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified


def with_enum_types(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Create each new type where it is first used, and let the downgrade drop it.

    If alembic-postgresql-enum is in use, it takes care of the enums, and only domains are left.
    """
    dropped = {
        key[1:] for change in changes if isinstance(change.up, DropTypeOp) for key in names_freed(change.up, facts.key)
    }
    existing = set(facts.enums) - dropped
    first: list[Change] = []
    result: list[Change] = []
    for original in changes:
        change = replace(original, down=tuple(_brought_back(op, facts) for op in original.down))
        if isinstance(change.up, ops.CreateTableOp):
            first.extend(_under_domains(change.up, existing, facts))
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
    """Create the types of a new column, which add_column does not do."""
    yield from _created(_to_create(named_types_of(column.type), facts), existing, facts)


def _to_create(kinds: Sequence[Any], facts: Facts) -> list[Any]:
    return [kind for kind in kinds if not (facts.enum_plugin and isinstance(kind, postgresql.ENUM))]


def _under_domains(op: ops.CreateTableOp, existing: set[TableKey], facts: Facts) -> Iterator[Change]:
    """Create the new enums that domains are over: create_table creates the domain alone."""
    for column in [item for item in op.columns if isinstance(item, Column)]:
        yield from _created(_to_create(named_types_of(column.type)[:-1], facts), existing, facts)


def _created(kinds: Sequence[Any], existing: set[TableKey], facts: Facts) -> Iterator[Change]:
    for item in kinds:
        key = facts.key(item.schema, str(item.name))
        if item.create_type and key not in existing:
            existing.add(key)
            yield Change(SqlOp(create_statement(item)), (SqlOp(_drop(item)),))


def _drop(item: Any) -> str:
    words = "TYPE" if isinstance(item, postgresql.ENUM) else "DOMAIN"
    return f"DROP {words} IF EXISTS {qualified(item.schema, str(item.name))}"


def _of_table(change: Change, op: ops.CreateTableOp, existing: set[TableKey], facts: Facts) -> Change:
    """Let a new table create the types that are new with it, and no other."""
    columns: list[Any] = []
    drops: list[SqlOp] = []
    for item in op.columns:
        kinds = _to_create(named_types_of(item.type), facts) if isinstance(item, Column) else []
        kinds = [kind for kind in kinds if kind.create_type]
        new = [kind for kind in kinds if facts.key(kind.schema, str(kind.name)) not in existing]
        existing.update(facts.key(kind.schema, str(kind.name)) for kind in new)
        columns.append(item if new or not kinds else _without_creation(item))
        # A domain goes before the enum that it is over.
        drops = [*(SqlOp(_drop(kind)) for kind in reversed(new)), *drops]
    if all(old is new for old, new in zip(op.columns, columns, strict=True)) and not drops:
        return change
    return replace(change, up=altered(op, columns=columns), down=(*change.down, *drops))


class ENUM(postgresql.ENUM):
    """An enum whose repr has ``create_type=False``. SQLAlchemy's own repr has it only from 2.1 on.

    Alembic renders types by their repr and their module.
    """

    __module__ = "sqlalchemy.dialects.postgresql"

    def __repr__(self) -> str:
        """The constructor's call."""
        shown = super().__repr__()
        return shown if "create_type=" in shown else f"{shown[:-1]}, create_type=False)"


class ExistingDomain(postgresql.DOMAIN):
    """A domain that create_table must not create: in SQLAlchemy 2.0 a copy of DOMAIN forgets ``create_type=False``."""

    __module__ = "sqlalchemy.dialects.postgresql"

    @property
    def create_type(self) -> bool:
        """Never."""
        return False

    @create_type.setter
    def create_type(self, value: bool) -> None:
        """Ignored: the constructor sets it, also for a copy."""


def _without_creation(column: Any) -> Column[Any]:
    """Return a copy of a column whose types exist. The column itself belongs to the application."""
    new: Column[Any] = column._copy()
    new.type = existing_type(column.type)
    return new


def existing_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return a type as PostgreSQL stores it, with ``create_type=False`` where it has that."""
    stored = stored_type(kind)
    if isinstance(stored, TypeDecorator):
        return existing_type(stored.impl_instance)
    if isinstance(stored, ARRAY):
        return postgresql.ARRAY(existing_type(stored.item_type), dimensions=stored.dimensions)
    if isinstance(stored, postgresql.ENUM):
        return ENUM(*stored.enums, name=str(stored.name), schema=stored.schema, create_type=False)
    if isinstance(stored, postgresql.DOMAIN):
        domain = copy.copy(stored)
        domain.__class__ = ExistingDomain
        return domain
    return kind
