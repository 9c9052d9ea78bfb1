"""Storage parameters of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeAlias

from alembic.util import PriorityDispatchResult

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register, register_in_batch
from alembic_pgpatterns.operations.support.session import emit
from alembic_pgpatterns.operations.support.template import Name, Part, Sql, Template, Value

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations, ops

ParameterValue: TypeAlias = str | int | float | bool | None

_PARAMETER = r"(toast\.)?[A-Za-z_][A-Za-z0-9_]*"
"""Compiled when it is needed: this module is imported with Alembic, also in production."""


class SetStorageParametersOp(Directive):
    """Set storage parameters of a table: fillfactor, autovacuum thresholds.

    Args:
        table: the table.
        parameters: values by name: ``{"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02}``; names of the
            table's TOAST begin with ``toast.``; None resets one.
        previous: what was there, by name, for the way down; names it lacks are reset.
        schema: the table's schema; None is the search path's.

    Rows that are there keep their place: a fillfactor shows as pages are written anew.

    Lock: SHARE UPDATE EXCLUSIVE on the table: neither reads nor writes wait, but it waits for VACUUM and for
    CONCURRENTLY builds.
    Errors: PgPatternsError on something that is no parameter's name; the server's on unknown ones.
    Reversible: yes, to *previous*. Offline: the same statements.
    Also as ``batch_op.set_storage_parameters()``.
    Source: PostgreSQL documentation, "ALTER TABLE" and "CREATE TABLE", Storage Parameters.
    """

    name = "set_storage_parameters"

    def __init__(
        self,
        table: str,
        parameters: Mapping[str, ParameterValue],
        *,
        previous: Mapping[str, ParameterValue] | None = None,
        schema: str | None = None,
    ) -> None:
        for name in parameters:
            if not re.fullmatch(_PARAMETER, name):
                raise errors.PgPatternsError(f"{name!r} is not the name of a storage parameter")
        self.table = table
        self.parameters = {name.lower(): value for name, value in parameters.items()}
        self.previous = {k.lower(): v for k, v in previous.items()} if previous is not None else None
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """ALTER TABLE ... SET, then RESET."""
        table = Name(self.schema, self.table)
        given: list[Part] = [
            Template("{name} = {value}", name=_name(name), value=Value(value))
            for name, value in self.parameters.items()
            if value is not None
        ]
        gone: list[Part] = [_name(name) for name, value in self.parameters.items() if value is None]
        for words, parts in (("SET", given), ("RESET", gone)):
            if parts:
                emit(operations, "ALTER TABLE {table} {words} ({parts})", table=table, words=Sql(words), parts=parts)

    def reverse(self) -> SetStorageParametersOp:
        """Back to *previous*."""
        before = self.previous or {}
        parameters = {name: before.get(name) for name in self.parameters}
        return SetStorageParametersOp(self.table, parameters, previous=self.parameters, schema=self.schema)


def _name(parameter: str) -> Name:
    return Name(*parameter.split("."))


_PARAMETERS = """
    SELECT n.nspname, c.relname, c.reloptions::text[] AS own, t.reloptions::text[] AS toast
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
    WHERE {tables}
"""


def compare_storage(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Bring all parameters of each table that declares `StorageParameters` to what it says."""
    from alembic_pgpatterns.declare import StorageParameters, declared_of
    from alembic_pgpatterns.operations.support import comparing

    tables = comparing.declaring_tables(context, StorageParameters)
    if tables:
        parameters = comparing.table_parameters(context, tables)
        rows = comparing.fetch(context, _PARAMETERS.format(tables=comparing.IN_TABLES), **parameters)
        found = {(row.nspname, row.relname): _options(row.own, row.toast) for row in rows}
        for table in tables:
            wanted = {k: v for each in declared_of(table, StorageParameters) for k, v in each.parameters}
            there = found.get((comparing.schema_of(context, table), table.name), {})
            change = _difference(wanted, there)
            if change:
                comparing.log.info("Detected storage parameters of %s: %s", table.fullname, ", ".join(change))
                before = {name: there[name] for name in change if name in there}
                comparing.add(
                    upgrade_ops,
                    SetStorageParametersOp(table.name, change, previous=before or None, schema=table.schema),
                )
    return PriorityDispatchResult.CONTINUE


def _options(own: list[str] | None, toast: list[str] | None) -> dict[str, str]:
    options = [*(own or ()), *(f"toast.{option}" for option in toast or ())]
    return dict(option.split("=", 1) for option in options)


def _difference(wanted: Mapping[str, ParameterValue], there: Mapping[str, str]) -> dict[str, ParameterValue]:
    change: dict[str, ParameterValue] = {
        name: value
        for name, value in wanted.items()
        if name.lower() not in there or _plain(value) != _plain(there[name.lower()])
    }
    declared = {name.lower() for name in wanted}
    change.update((name, None) for name in there if name not in declared)
    return change


def _plain(value: ParameterValue) -> object:
    """One form for what PostgreSQL takes in several: on/true, 0.20/0.2."""
    text = str(value).strip().lower()
    if text in ("true", "on", "yes"):
        return True
    if text in ("false", "off", "no"):
        return False
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


register(SetStorageParametersOp)
register_in_batch(SetStorageParametersOp)
