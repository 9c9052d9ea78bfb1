"""NOT NULL, proved by a CHECK, so that the table is not read under a strong lock."""

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
    """Make a column NOT NULL without reading the table under a strong lock.

    Args:
        table_name: the table.
        column_name: the column.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Four steps, each a transaction of its own: ``CHECK (column IS NOT NULL) NOT VALID``, VALIDATE, SET NOT NULL
    (PostgreSQL accepts the valid CHECK as proof), drop the CHECK. Steps that an earlier run completed are skipped.

    Lock: ACCESS EXCLUSIVE on the table, three times for a moment; SHARE UPDATE EXCLUSIVE while the rows are checked.
    Errors: PgPatternsError if a row has NULL (correct the rows, run the revision again), if the column does not
    exist, or if env.py holds a transaction of its own.
    Reversible: yes, by ``op.alter_column(nullable=True)``.
    Offline: the same statements between COMMIT and BEGIN.
    Source: PostgreSQL documentation, "ALTER TABLE", SET NOT NULL (since PostgreSQL 12).
    """

    name = "set_not_null"

    def __init__(self, table_name: str, column_name: str, *, schema: str | None = None) -> None:
        self.table_name = table_name
        self.column_name = column_name
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """Run the steps that are not done yet."""
        # not "..._not_null": PostgreSQL 18 stores NOT NULL as a constraint and gives it that name
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
        not_null = fetch_value(operations, _NOT_NULL, table=at.quoted, column=self.column_name)
        if not_null is None:
            raise errors.PgPatternsError(f"op.set_not_null: {at} has no column {self.column_name}")
        return bool(not_null)

    def reverse(self) -> AlterColumnOp:
        """Allow NULL."""
        return AlterColumnOp(self.table_name, self.column_name, schema=self.schema, modify_nullable=True)


register(SetNotNullOp)
