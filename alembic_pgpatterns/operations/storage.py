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
"""A pattern as text, compiled when needed: this module may be imported with Alembic, also in production."""


class SetStorageParametersOp(Directive):
    """Set storage parameters of a table: fillfactor, autovacuum thresholds.

    Args:
        table: the table.
        parameters: values by name: ``{"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02}``. Names for the
            table's TOAST table start with ``toast.``; None resets a parameter.
        previous: the old values by name, for the downgrade; parameters that it does not name are reset.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Existing rows do not move: a new fillfactor takes effect when pages are written.

    Lock: SHARE UPDATE EXCLUSIVE on the table: neither reads nor writes wait, but it waits for VACUUM and for
    CONCURRENTLY builds.
    Errors: PgPatternsError if a name is not a valid parameter name; the server's on unknown parameters.
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
        assignments: list[Part] = [
            Template("{name} = {value}", name=_name(name), value=Value(value))
            for name, value in self.parameters.items()
            if value is not None
        ]
        resets: list[Part] = [_name(name) for name, value in self.parameters.items() if value is None]
        for words, parts in (("SET", assignments), ("RESET", resets)):
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
    """Make all storage parameters of each table that declares `StorageParameters` equal to what it declares."""
    from alembic_pgpatterns.declare import StorageParameters, declared_of
    from alembic_pgpatterns.operations.support import comparing

    tables = comparing.declaring_tables(context, StorageParameters)
    if tables:
        parameters = comparing.table_parameters(context, tables)
        rows = comparing.fetch(context, _PARAMETERS.format(tables=comparing.IN_TABLES), **parameters)
        actual_of = {(row.nspname, row.relname): _options(row.own, row.toast) for row in rows}
        for table in tables:
            declared = {k: v for each in declared_of(table, StorageParameters) for k, v in each.parameters}
            actual = actual_of.get((comparing.schema_of(context, table), table.name), {})
            change = _difference(declared, actual)
            if change:
                comparing.log.info("Detected storage parameters of %s: %s", table.fullname, ", ".join(change))
                before = {name: actual[name] for name in change if name in actual}
                comparing.add(
                    upgrade_ops,
                    SetStorageParametersOp(table.name, change, previous=before or None, schema=table.schema),
                )
    return PriorityDispatchResult.CONTINUE


def _options(of_table: list[str] | None, toast: list[str] | None) -> dict[str, str]:
    # PostgreSQL keeps toast.* as options of the TOAST table, without the prefix.
    options = [*(of_table or ()), *(f"toast.{option}" for option in toast or ())]
    return dict(option.split("=", 1) for option in options)


def _difference(declared: Mapping[str, ParameterValue], actual: Mapping[str, str]) -> dict[str, ParameterValue]:
    change: dict[str, ParameterValue] = {
        name: value
        for name, value in declared.items()
        if name.lower() not in actual or _plain(value) != _plain(actual[name.lower()])
    }
    names = {name.lower() for name in declared}
    change.update((name, None) for name in actual if name not in names)
    return change


def _plain(value: ParameterValue) -> object:
    """One form for values that PostgreSQL accepts in several forms: on/true, 0.20/0.2."""
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
