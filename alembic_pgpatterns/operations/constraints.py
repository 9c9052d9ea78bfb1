"""Foreign keys and checks that are added without a scan, and validated afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alembic.operations.ops import CreateCheckConstraintOp, CreateForeignKeyOp, DropConstraintOp
from sqlalchemy import literal_column
from sqlalchemy.sql.elements import ClauseElement, conv

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, NothingToUndo, register
from alembic_pgpatterns.operations.support.relations import TableOrIndex, constraint, relation, scratch_table, table
from alembic_pgpatterns.operations.support.session import (
    emit,
    explained,
    fetch_value,
    log,
    offline,
    outside_transaction,
    without_timeouts,
)
from alembic_pgpatterns.operations.support.template import Name

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations
    from sqlalchemy import CheckConstraint, ForeignKeyConstraint

_NOT_VALID = "postgresql_not_valid"


def _other(at: TableOrIndex, name: str, found: str, wanted: str) -> errors.PgPatternsError:
    return errors.PgPatternsError(
        f"{at} has a constraint {name} already, but another one ({found}; wanted is {wanted}). Drop it first with "
        "op.drop_constraint, or choose another name"
    )


_ACTIONS = {"CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d", "RESTRICT": "r"}


class CreateForeignKeyNotValidOp(Directive):
    """Add a foreign key without looking at the rows that are there; new rows are checked from now on.

    Args:
        constraint_name: its name.
        source_table: the table it is on.
        referent_table: the table it points to.
        local_cols: its columns.
        remote_cols: the columns they point to.
        source_schema: the schema of the table; None is the search path's.
        referent_schema: the schema of the other; None is the search path's.
        if_not_exists: skip it where the table has a foreign key of this name, so that the revision can be run
            again after a VALIDATE that failed.
        kw: ``ondelete``, ``onupdate``, ``deferrable``, ``initially``, ``match``, as in ``op.create_foreign_key``.

    Follow it with ``op.validate_constraint``.

    Lock: SHARE ROW EXCLUSIVE on both tables (writes wait), for a moment.
    Errors: PgPatternsError where the name is another constraint's, or on a partitioned table before
    PostgreSQL 18, which cannot do it; else the server's.
    Reversible: yes, by ``op.drop_constraint``. Offline: the same statement, without the look.
    Source: PostgreSQL documentation, "ALTER TABLE", ADD table_constraint.
    """

    name = "create_foreign_key_not_valid"

    def __init__(
        self,
        constraint_name: str,
        source_table: str,
        referent_table: str,
        local_cols: Sequence[str],
        remote_cols: Sequence[str],
        *,
        source_schema: str | None = None,
        referent_schema: str | None = None,
        if_not_exists: bool = True,
        **kw: Any,
    ) -> None:
        self.constraint_name = constraint_name
        self.source_table = source_table
        self.referent_table = referent_table
        self.local_cols = list(local_cols)
        self.remote_cols = list(remote_cols)
        self.source_schema = source_schema
        self.referent_schema = referent_schema
        self.if_not_exists = if_not_exists
        self.kw = {key: value for key, value in kw.items() if value is not None and key != _NOT_VALID}

    @classmethod
    def from_constraint(cls, key: ForeignKeyConstraint) -> CreateForeignKeyNotValidOp:
        """The operation that adds a foreign key of the models; it must have a name.

        Raises:
            PgPatternsError: it has none.
        """
        return cls.from_stock(CreateForeignKeyOp.from_constraint(key))

    @classmethod
    def from_stock(cls, operation: CreateForeignKeyOp) -> CreateForeignKeyNotValidOp:
        """From Alembic's own operation, as autogenerate has it.

        Raises:
            PgPatternsError: the constraint has no name.
        """
        if operation.constraint_name is None:
            raise errors.PgPatternsError(f"a foreign key of {operation.source_table} has no name; give it one")
        return cls(
            str(operation.constraint_name),
            operation.source_table,
            operation.referent_table,
            operation.local_cols,
            operation.remote_cols,
            **{key: value for key, value in operation.kw.items() if key != "use_alter"},
        )

    def stock(self, **options: Any) -> CreateForeignKeyOp:
        """Alembic's operation for the same foreign key."""
        schemas = {"source_schema": self.source_schema, "referent_schema": self.referent_schema}
        return CreateForeignKeyOp(
            self.constraint_name,
            self.source_table,
            self.referent_table,
            self.local_cols,
            self.remote_cols,
            **schemas,
            **self.kw,
            **options,
        )

    def run(self, operations: Operations) -> None:
        """ADD CONSTRAINT ... NOT VALID."""
        if not offline(operations):
            at = table(operations, self.source_table, self.source_schema)
            self._refuse_partitioned(operations, at)
            if self.if_not_exists and self._is_there(operations, at):
                return
        stock = self.stock(postgresql_not_valid=True)
        # the name as it is, whatever the models' naming convention would make of it
        stock.constraint_name = conv(self.constraint_name)
        operations.invoke(stock)

    def _is_there(self, operations: Operations, at: TableOrIndex) -> bool:
        """Whether an earlier try of the revision added it already."""
        target = (self.referent_schema, self.referent_table)
        found = constraint(operations, at, self.constraint_name, referent=target)
        if found is None:
            return False
        actions = [_ACTIONS.get((self.kw.get(key) or "").upper(), "a") for key in ("ondelete", "onupdate")]
        wanted = ("f", self.local_cols, self.remote_cols, True, *actions)
        there = (found.contype, found.own, found.referred, found.same_referent, found.ondelete, found.onupdate)
        if there != wanted:
            raise _other(at, self.constraint_name, found.definition, f"a foreign key to {self.referent_table}")
        log.info("foreign key %s on %s is there already", self.constraint_name, at)
        return True

    def _refuse_partitioned(self, operations: Operations, at: TableOrIndex) -> None:
        version = fetch_value(operations, "SELECT current_setting('server_version_num')::int")
        if at.partitioned and version < 180000:
            raise errors.PgPatternsError(
                f"{at} is partitioned, and before PostgreSQL 18 it cannot get a foreign key NOT VALID. Add and "
                "validate it on each partition, then use op.create_foreign_key on the parent, which need not "
                "scan them again"
            )

    def reverse(self) -> DropConstraintOp:
        """Drop it."""
        return DropConstraintOp(self.constraint_name, self.source_table, type_="foreignkey", schema=self.source_schema)

    def render(self, context: AutogenContext) -> str:
        """As Alembic renders ``op.create_foreign_key``."""
        from alembic.autogenerate.render import _add_fk_constraint

        text = _add_fk_constraint(context, self.stock()).replace("create_foreign_key(", f"{self.name}(", 1)
        return text if self.if_not_exists else text.removesuffix(")") + ", if_not_exists=False)"

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """As Alembic's own."""
        return self.stock().to_diff_tuple()


class CreateCheckNotValidOp(Directive):
    """Add a CHECK without looking at the rows that are there; new rows are checked from now on.

    Args:
        constraint_name: its name.
        table_name: the table.
        condition: SQL, or an expression of SQLAlchemy's.
        schema: the table's schema; None is the search path's.
        if_not_exists: skip it where the table has a CHECK of this name, so that the revision can be run again
            after a VALIDATE that failed.

    Follow it with ``op.validate_constraint``.

    Lock: ACCESS EXCLUSIVE on the table, for a moment.
    Errors: PgPatternsError where the name is another constraint's; else the server's.
    Reversible: yes, by ``op.drop_constraint``. Offline: the same statement, without the look.
    Source: PostgreSQL documentation, "ALTER TABLE", ADD table_constraint.
    """

    name = "create_check_not_valid"

    def __init__(
        self,
        constraint_name: str,
        table_name: str,
        condition: str | ClauseElement,
        *,
        schema: str | None = None,
        if_not_exists: bool = True,
    ) -> None:
        self.constraint_name = constraint_name
        self.table_name = table_name
        self.condition = condition
        self.schema = schema
        self.if_not_exists = if_not_exists

    @classmethod
    def from_constraint(cls, check: CheckConstraint) -> CreateCheckNotValidOp:
        """The operation that adds a check of the models; it must have a name.

        Raises:
            PgPatternsError: it has none.
        """
        at = check.table
        if check.name is None:
            raise errors.PgPatternsError(f"a check of {at.fullname} has no name; give it one")
        return cls(str(check.name), at.name, check.sqltext, schema=at.schema)

    def run(self, operations: Operations) -> None:
        """ADD CONSTRAINT ... NOT VALID."""
        if not offline(operations) and self.if_not_exists and self._is_there(operations):
            return
        operations.invoke(self._stock(self.table_name, self.schema))

    def _stock(self, table_name: str, schema: str | None) -> CreateCheckConstraintOp:
        return CreateCheckConstraintOp(
            conv(self.constraint_name),
            table_name,
            # a literal column, not the text() that Alembic makes of a string: there colons are parameters
            literal_column(self.condition) if isinstance(self.condition, str) else self.condition,  # type: ignore[arg-type]
            schema=schema,
            postgresql_not_valid=True,
        )

    def _is_there(self, operations: Operations) -> bool:
        """Whether an earlier try of the revision added it already."""
        at = table(operations, self.table_name, self.schema)
        found = constraint(operations, at, self.constraint_name)
        if found is None:
            return False
        wanted = self._definition(operations, at)
        if found.contype != "c" or wanted not in (None, found.definition.removesuffix(" NOT VALID")):
            raise _other(at, self.constraint_name, found.definition, wanted or "a CHECK")
        log.info("check %s on %s is there already", self.constraint_name, at)
        return True

    def _definition(self, operations: Operations, at: TableOrIndex) -> str | None:
        """The condition as PostgreSQL prints it; None where it cannot be asked."""
        with scratch_table(operations, at) as scratch:
            if scratch is None:
                return None
            operations.invoke(self._stock(scratch.name, scratch.schema))
            made = constraint(operations, scratch, self.constraint_name)
            return str(made.definition).removesuffix(" NOT VALID") if made else None

    def reverse(self) -> DropConstraintOp:
        """Drop it."""
        return DropConstraintOp(self.constraint_name, self.table_name, type_="check", schema=self.schema)


class ValidateConstraintOp(Directive):
    """Look whether all rows satisfy a foreign key or CHECK that is NOT VALID, and mark it valid.

    Args:
        constraint_name: the constraint.
        table_name: its table.
        schema: the table's schema; None is the search path's.

    Runs outside a transaction, for the lock of the ADD would else be held through the scan; lock_timeout,
    statement_timeout and transaction_timeout are 0 meanwhile.

    Lock: SHARE UPDATE EXCLUSIVE on the table, ROW SHARE on a referenced one: neither reads nor writes wait.
    Errors: PgPatternsError where a row violates it (correct the rows, run the revision again), where there is
    no such constraint, or where env.py holds a transaction of its own.
    Reversible: there is nothing to undo; valid already: nothing to do.
    Offline: COMMIT, VALIDATE CONSTRAINT, BEGIN.
    Source: PostgreSQL documentation, "ALTER TABLE", VALIDATE CONSTRAINT.
    """

    name = "validate_constraint"

    def __init__(self, constraint_name: str, table_name: str, *, schema: str | None = None) -> None:
        self.constraint_name = constraint_name
        self.table_name = table_name
        self.schema = schema

    def run(self, operations: Operations) -> None:
        """VALIDATE CONSTRAINT."""
        way_out = "Correct those rows, then run the revision again; the constraint holds for new ones meanwhile"
        what = f"constraint {self.constraint_name} of {self.table_name} could not be validated"
        with outside_transaction(operations, self.name), explained(what, way_out), without_timeouts(operations):
            emit(
                operations,
                "ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
                table=Name(self.schema, self.table_name),
                name=Name(self.constraint_name),
            )

    def reverse(self) -> NothingToUndo:
        """Nothing."""
        return NothingToUndo(f"{self.constraint_name} stays valid until it is dropped")


def drop_if_there(operations: Operations, name: str, table_name: str, schema: str | None) -> None:
    """DROP CONSTRAINT IF EXISTS on a table that may itself be gone."""
    if offline(operations) or relation(operations, table_name, schema):
        emit(
            operations,
            "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}",
            table=Name(schema, table_name),
            name=Name(name),
        )


register(CreateForeignKeyNotValidOp, CreateCheckNotValidOp, ValidateConstraintOp)
