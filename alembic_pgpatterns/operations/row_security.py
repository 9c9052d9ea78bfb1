"""Row-level security of a table: on or off, for its owner too or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from alembic.util import PriorityDispatchResult

from alembic_pgpatterns.operations.directive import Directive, register, register_in_batch
from alembic_pgpatterns.operations.support.session import emit
from alembic_pgpatterns.operations.support.template import Name, Sql

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations, ops
    from sqlalchemy import Table


class _RowSecurity(Directive):
    """One of the four directives. Each is undone by its opposite."""

    words: ClassVar[str]
    opposite: ClassVar[type[_RowSecurity]]

    closes_table = True

    def __init__(self, table: str, *, schema: str | None = None) -> None:
        self.table = table
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """ALTER TABLE."""
        table = Name(self.schema, self.table)
        emit(operations, "ALTER TABLE {table} {words} ROW LEVEL SECURITY", table=table, words=Sql(self.words))

    def reverse(self) -> _RowSecurity:
        """The opposite."""
        return self.opposite(self.table, schema=self.schema)


class EnableRowSecurityOp(_RowSecurity):
    """Apply a table's policies. Without a policy only the owner sees rows.

    Args:
        table: the table.
        schema: its schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table, brief; give it a lock_timeout (`op.lock_attempts`).
    Errors: the server's if the table does not exist or belongs to another role.
    Reversible: yes, by ``op.disable_row_security``. Offline: the same statement.
    Also as ``batch_op.enable_row_security()``.
    Source: PostgreSQL documentation, "ALTER TABLE".
    """

    name = "enable_row_security"
    words = "ENABLE"


class DisableRowSecurityOp(_RowSecurity):
    """Stop applying a table's policies. They stay in the catalog.

    Args:
        table: the table.
        schema: its schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table, brief.
    Errors: the server's if the table does not exist or belongs to another role.
    Reversible: yes, by ``op.enable_row_security``. Offline: the same statement.
    Also as ``batch_op.disable_row_security()``.
    """

    name = "disable_row_security"
    words = "DISABLE"


class ForceRowSecurityOp(_RowSecurity):
    """Apply a table's policies to its owner too, which is often the application's own role.

    Args:
        table: the table.
        schema: its schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table, brief.
    Errors: the server's if the table does not exist or belongs to another role.
    Reversible: yes, by ``op.no_force_row_security``. Offline: the same statement.
    Also as ``batch_op.force_row_security()``.
    """

    name = "force_row_security"
    words = "FORCE"


class NoForceRowSecurityOp(_RowSecurity):
    """Do not apply a table's policies to its owner, which is PostgreSQL's default.

    Args:
        table: the table.
        schema: its schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table, brief.
    Errors: the server's if the table does not exist or belongs to another role.
    Reversible: yes, by ``op.force_row_security``. Offline: the same statement.
    Also as ``batch_op.no_force_row_security()``.
    """

    name = "no_force_row_security"
    words = "NO FORCE"


EnableRowSecurityOp.opposite = DisableRowSecurityOp
DisableRowSecurityOp.opposite = EnableRowSecurityOp
ForceRowSecurityOp.opposite = NoForceRowSecurityOp
NoForceRowSecurityOp.opposite = ForceRowSecurityOp


_FLAGS = """
    SELECT n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE {tables}
"""


def compare_row_security(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Make the two flags of each table that declares `RowSecurity` equal to what it declares."""
    from alembic_pgpatterns.declare import RowSecurity, declared_of
    from alembic_pgpatterns.operations.support import comparing

    tables = comparing.declaring_tables(context, RowSecurity)
    if tables:
        parameters = comparing.table_parameters(context, tables)
        rows = comparing.fetch(context, _FLAGS.format(tables=comparing.IN_TABLES), **parameters)
        flags = {(row.nspname, row.relname): (row.relrowsecurity, row.relforcerowsecurity) for row in rows}
        for table in tables:
            declared = declared_of(table, RowSecurity)[-1]
            enabled, forced = flags.get((comparing.schema_of(context, table), table.name), (False, False))
            _switch(upgrade_ops, table, declared.enabled, enabled, EnableRowSecurityOp)
            _switch(upgrade_ops, table, declared.force, forced, ForceRowSecurityOp)
    return PriorityDispatchResult.CONTINUE


def _switch(upgrade_ops: ops.UpgradeOps, table: Table, expected: bool, actual: bool, on: type[_RowSecurity]) -> None:
    if expected != actual:
        from alembic_pgpatterns.operations.support.comparing import add, log

        operation = (on if expected else on.opposite)(table.name, schema=table.schema)
        log.info("Detected %s of %s", operation.name.replace("_", " "), table.fullname)
        add(upgrade_ops, operation)


directives = (EnableRowSecurityOp, DisableRowSecurityOp, ForceRowSecurityOp, NoForceRowSecurityOp)
register(*directives)
register_in_batch(*directives)
