"""NOT NULL by way of a CHECK, so that no scan happens under the strong lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.operations.ops import AlterColumnOp

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.constraints import CreateCheckNotValidOp, ValidateConstraintOp, drop_if_there
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support.relations import derived_name, table
from alembic_pgpatterns.operations.support.session import emit, fetch_value, offline, outside_transaction
from alembic_pgpatterns.operations.support.template import Name, Template, as_text

if TYPE_CHECKING:
    from alembic.operations import Operations

_NOT_NULL = """
    SELECT attnotnull FROM pg_catalog.pg_attribute
    WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped
"""


class SetNotNullOp(Directive):
    """Make a column NOT NULL without a scan under the strong lock.

    Args:
        table_name: the table.
        column_name: the column.
        schema: the table's schema; None is the search path's.

    Four steps, each a transaction of its own: ``CHECK (column IS NOT NULL) NOT VALID``, VALIDATE, SET NOT NULL
    (PostgreSQL takes the valid CHECK for a proof), drop the CHECK. What an earlier try did is not done again.

    Lock: ACCESS EXCLUSIVE on the table, three times for a moment; SHARE UPDATE EXCLUSIVE for the scan.
    Errors: PgPatternsError where a row has NULL (correct the rows, run the revision again), where the column is
    missing, or where env.py holds a transaction of its own.
    Reversible: yes, by ``op.alter_column(nullable=True)``.
    Offline: the same statements between COMMIT and BEGIN.
    Source: PostgreSQL documentation, "ALTER TABLE", SET NOT NULL (from PostgreSQL 12 on).
    """

    name = "set_not_null"

    def __init__(self, table_name: str, column_name: str, *, schema: str | None = None) -> None:
        self.table_name = table_name
        self.column_name = column_name
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """The four steps, or what is left of them."""
        # not "..._not_null", which PostgreSQL 18 gives to the constraint that NOT NULL is there
        check = derived_name(self.table_name, self.column_name, "is_not_null")
        with outside_transaction(operations, self.name):
            if not self._is_not_null(operations):
                condition = as_text(Template("{column} IS NOT NULL", column=Name(self.column_name)))
                operations.invoke(CreateCheckNotValidOp(check, self.table_name, condition, schema=self.schema))
                operations.invoke(ValidateConstraintOp(check, self.table_name, schema=self.schema))
                emit(
                    operations,
                    "ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
                    table=Name(self.schema, self.table_name),
                    column=Name(self.column_name),
                )
            drop_if_there(operations, check, self.table_name, self.schema)

    def _is_not_null(self, operations: Operations) -> bool:
        if offline(operations):
            return False
        at = table(operations, self.table_name, self.schema)
        found = fetch_value(operations, _NOT_NULL, table=at.quoted, column=self.column_name)
        if found is None:
            raise errors.PgPatternsError(f"op.set_not_null: {at} has no column {self.column_name}")
        return bool(found)

    def reverse(self) -> AlterColumnOp:
        """Allow NULL."""
        return AlterColumnOp(self.table_name, self.column_name, schema=self.schema, modify_nullable=True)


register(SetNotNullOp)
