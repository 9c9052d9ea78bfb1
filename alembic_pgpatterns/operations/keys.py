"""Unique constraints and primary keys that are added with an index built without blocking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from alembic.operations.ops import DropConstraintOp

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.indexes import CreateIndexConcurrentlyOp
from alembic_pgpatterns.operations.not_null import SetNotNullOp
from alembic_pgpatterns.operations.support.relations import TableOrIndex, constraint, table
from alembic_pgpatterns.operations.support.session import emit, explained, fetch, offline, outside_transaction
from alembic_pgpatterns.operations.support.template import Name, Sql, always_quoted

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

# Without the columns after INCLUDE, which may be null.
_COLUMNS = """
    SELECT a.attname FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1])
    WHERE x.indexrelid = to_regclass(:index)
"""


class _KeyUsingIndex(Directive):
    """The arguments and steps that the two share."""

    words: ClassVar[str]
    contype: ClassVar[str]
    kind: ClassVar[str]

    def __init__(
        self,
        constraint_name: str,
        table_name: str,
        columns: Sequence[str] | None = None,
        *,
        index_name: str | None = None,
        deferrable: bool = False,
        initially_deferred: bool = False,
        schema: str | None = None,
    ) -> None:
        if (columns is None) == (index_name is None):
            raise errors.PgPatternsError(f"op.{self.name}({constraint_name!r}): give either columns or index_name=")
        self.constraint_name = constraint_name
        self.table_name = table_name
        self.columns = list(columns) if columns is not None else None
        self.index_name = index_name
        self.deferrable = deferrable
        self.initially_deferred = initially_deferred
        self.schema = schema

    @classmethod
    def from_constraint(cls, constraint: UniqueConstraint | PrimaryKeyConstraint) -> Self:
        """The operation that adds a constraint of the models.

        Raises:
            PgPatternsError: the constraint has no name.
        """
        at = constraint.table
        if constraint.name is None:
            raise errors.PgPatternsError(f"a {cls.kind} constraint of {at.fullname} has no name; give it one")
        return cls(
            str(constraint.name),
            at.name,
            [column.name for column in constraint.columns],
            deferrable=bool(constraint.deferrable),
            initially_deferred=(constraint.initially or "").upper() == "DEFERRED",
            schema=at.schema,
        )

    def run(self, operations: Operations) -> None:
        """Build the index if columns are given, then add the constraint with it."""
        with outside_transaction(operations, self.name):
            if not offline(operations):
                at = table(operations, self.table_name, self.schema)
                if self._is_there(operations, at):
                    return
            self._prepare(operations)
            way_out = "Remove the cause, then run the revision again"
            with explained(f"{self.kind} {self.constraint_name} could not be added", way_out):
                self._add(operations)

    def _is_there(self, operations: Operations, at: TableOrIndex) -> bool:
        if at.partitioned:
            raise errors.PgPatternsError(
                f"op.{self.name}: {at} is partitioned, and PostgreSQL cannot use an existing index for a constraint "
                "there. A unique index (op.create_index_concurrently) checks the same"
            )
        existing = constraint(operations, at, self.constraint_name)
        if existing is not None and existing.contype != self.contype:
            raise errors.PgPatternsError(f"{at} has another constraint {self.constraint_name}: {existing.definition}")
        return existing is not None

    def _prepare(self, operations: Operations) -> None:
        if self.columns is not None:
            operations.invoke(
                CreateIndexConcurrentlyOp(
                    self.constraint_name, self.table_name, self.columns, schema=self.schema, unique=True
                )
            )

    def _add(self, operations: Operations) -> None:
        deferrable = " DEFERRABLE" if self.deferrable else ""
        initially = " INITIALLY DEFERRED" if self.initially_deferred else ""
        emit(
            operations,
            "ALTER TABLE {table} ADD CONSTRAINT {name} {words} USING INDEX {index}{options}",
            table=Name(self.schema, self.table_name),
            name=Name(self.constraint_name),
            words=Sql(self.words),
            index=Name(self.index_name or self.constraint_name),
            options=Sql(deferrable + initially),
        )

    def reverse(self) -> DropConstraintOp:
        """Drop the constraint, and its index with it."""
        return DropConstraintOp(self.constraint_name, self.table_name, type_=self.kind, schema=self.schema)


class CreateUniqueUsingIndexOp(_KeyUsingIndex):
    """Add a unique constraint without blocking: its index is built CONCURRENTLY first.

    Args:
        constraint_name: its name, which becomes the index's name too.
        table_name: the table.
        columns: the columns; the index is built as by ``op.create_index_concurrently``. Or
        index_name: an existing unique index, which gets the constraint's name.
        deferrable: whether it may be checked at the end of a transaction.
        initially_deferred: whether it is, unless the transaction changes that.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Runs outside a transaction. Steps that an earlier run completed are skipped.

    Lock: SHARE UPDATE EXCLUSIVE while the index is built; ACCESS EXCLUSIVE on the table for a moment.
    Errors: PgPatternsError on duplicates, on a partitioned table, if another constraint has the name, or if env.py
    holds a transaction of its own.
    Reversible: yes, by ``op.drop_constraint``, which drops the index too, also the one of *index_name*.
    Offline: the same statements between COMMIT and BEGIN.
    Source: PostgreSQL documentation, "ALTER TABLE", ADD table_constraint_using_index.
    """

    name = "create_unique_using_index"
    words = "UNIQUE"
    contype = "u"
    kind = "unique"


class CreatePrimaryKeyUsingIndexOp(_KeyUsingIndex):
    """Add a primary key without blocking: its index is built CONCURRENTLY, its columns become NOT NULL first.

    Args:
        constraint_name: its name, which becomes the index's name too.
        table_name: the table.
        columns: the columns; the index is built as by ``op.create_index_concurrently``. Or
        index_name: an existing unique index, which gets the constraint's name.
        deferrable: whether it may be checked at the end of a transaction.
        initially_deferred: whether it is, unless the transaction changes that.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Columns that allow NULL become NOT NULL as by ``op.set_not_null``; otherwise PostgreSQL would read the table
    under ACCESS EXCLUSIVE. Runs outside a transaction. Steps that an earlier run completed are skipped.

    Lock: SHARE UPDATE EXCLUSIVE while the index is built and the rows are checked; ACCESS EXCLUSIVE on the table a
    few times for a moment.
    Errors: PgPatternsError on duplicates or NULLs, on a partitioned table, if another constraint has the name, or
    if env.py holds a transaction of its own.
    Reversible: yes, by ``op.drop_constraint``, which drops the index too; the columns stay NOT NULL.
    Offline: the same statements between COMMIT and BEGIN. With *index_name* the steps for NOT NULL are left out,
    because the index's columns are only known to the server.
    Source: PostgreSQL documentation, "ALTER TABLE", ADD table_constraint_using_index.
    """

    name = "create_primary_key_using_index"
    words = "PRIMARY KEY"
    contype = "p"
    kind = "primary"

    def _prepare(self, operations: Operations) -> None:
        # Otherwise ADD PRIMARY KEY does it, and reads the whole table under ACCESS EXCLUSIVE (docs, ALTER TABLE, ADD
        # table_constraint_using_index).
        for column in self._columns(operations):
            operations.invoke(SetNotNullOp(self.table_name, column, schema=self.schema))
        super()._prepare(operations)

    def _columns(self, operations: Operations) -> list[str]:
        if self.columns is not None or offline(operations):
            return self.columns or []
        at = table(operations, self.table_name, self.schema)
        index = always_quoted(at.schema, self.index_name)
        return [row.attname for row in fetch(operations, _COLUMNS, index=index)]


register(CreateUniqueUsingIndexOp, CreatePrimaryKeyUsingIndexOp)
