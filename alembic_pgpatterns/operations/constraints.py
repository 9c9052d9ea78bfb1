"""Foreign keys and checks that are added without reading the table, and validated later."""

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


def _other(at: TableOrIndex, name: str, existing: str, expected: str) -> errors.PgPatternsError:
    return errors.PgPatternsError(
        f"{at} already has a different constraint {name} (it has {existing}; expected is {expected}). Drop it first "
        "with op.drop_constraint, or choose another name"
    )


# As pg_constraint has them in confdeltype and confupdtype; "a" is NO ACTION, the default.
_ACTIONS = {"CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d", "RESTRICT": "r"}


class CreateForeignKeyNotValidOp(Directive):
    """Add a foreign key without checking the existing rows. New rows are checked from now on.

    Args:
        constraint_name: its name.
        source_table: the table it is on.
        referent_table: the table it points to.
        local_cols: its columns.
        remote_cols: the columns they point to.
        source_schema: the schema of the table; None: PostgreSQL looks along the search path.
        referent_schema: the schema of the other; None: PostgreSQL looks along the search path.
        if_not_exists: skip it if the table already has a foreign key of this name. So the revision can be run again
            after a VALIDATE that failed.
        kw: ``ondelete``, ``onupdate``, ``deferrable``, ``initially``, ``match``, as in ``op.create_foreign_key``.

    Follow it with ``op.validate_constraint``.

    Lock: SHARE ROW EXCLUSIVE on both tables (writes wait), for a moment.
    Errors: PgPatternsError if another constraint has the name, or if the table is partitioned and the server is
    older than PostgreSQL 18, which cannot do it; otherwise the server's.
    Reversible: yes, by ``op.drop_constraint``. Offline: the same statement, without the check for an existing one.
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
        """The operation that adds a foreign key of the models.

        Raises:
            PgPatternsError: the foreign key has no name.
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
            # It says in which order create_all() works, and nothing about the key.
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
        # conv(): the name is final, so that the models' naming convention does not change it
        stock.constraint_name = conv(self.constraint_name)
        operations.invoke(stock)

    def _is_there(self, operations: Operations, at: TableOrIndex) -> bool:
        """Whether an earlier run of the revision added it already."""
        target = (self.referent_schema, self.referent_table)
        existing = constraint(operations, at, self.constraint_name, referent=target)
        if existing is None:
            return False
        actions = [_ACTIONS.get((self.kw.get(key) or "").upper(), "a") for key in ("ondelete", "onupdate")]
        expected = ("f", self.local_cols, self.remote_cols, True, *actions)
        actual = (
            existing.contype,
            existing.own,
            existing.referred,
            existing.same_referent,
            existing.ondelete,
            existing.onupdate,
        )
        if actual != expected:
            raise _other(at, self.constraint_name, existing.definition, f"a foreign key to {self.referent_table}")
        log.info("foreign key %s on %s exists already", self.constraint_name, at)
        return True

    def _refuse_partitioned(self, operations: Operations, at: TableOrIndex) -> None:
        version = fetch_value(operations, "SELECT current_setting('server_version_num')::int")
        if at.partitioned and version < 180000:
            raise errors.PgPatternsError(
                f"{at} is partitioned, and before PostgreSQL 18 a partitioned table cannot have a foreign key that is "
                "NOT VALID. Add and validate it on each partition, then use op.create_foreign_key on the parent, "
                "which then does not read the partitions again"
            )

    def reverse(self) -> DropConstraintOp:
        """Drop it."""
        return DropConstraintOp(self.constraint_name, self.source_table, type_="foreignkey", schema=self.source_schema)

    def render(self, context: AutogenContext) -> str:
        """The same text as Alembic's for ``op.create_foreign_key``, under this directive's name."""
        from alembic.autogenerate.render import _add_fk_constraint

        text = _add_fk_constraint(context, self.stock()).replace("create_foreign_key(", f"{self.name}(", 1)
        return text if self.if_not_exists else text.removesuffix(")") + ", if_not_exists=False)"

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The tuple of Alembic's own operation."""
        return self.stock().to_diff_tuple()


class CreateCheckNotValidOp(Directive):
    """Add a CHECK without checking the existing rows. New rows are checked from now on.

    Args:
        constraint_name: its name.
        table_name: the table.
        condition: SQL, or an expression of SQLAlchemy's.
        schema: the table's schema; None: PostgreSQL looks along the search path.
        if_not_exists: skip it if the table already has a CHECK of this name. So the revision can be run again after
            a VALIDATE that failed.

    Follow it with ``op.validate_constraint``.

    Lock: ACCESS EXCLUSIVE on the table, for a moment.
    Errors: PgPatternsError if another constraint has the name; otherwise the server's.
    Reversible: yes, by ``op.drop_constraint``. Offline: the same statement, without the check for an existing one.
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
        """The operation that adds a check of the models.

        Raises:
            PgPatternsError: the check has no name.
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
            # A literal column, not the text() that Alembic makes of a string: there a colon begins a parameter.
            literal_column(self.condition) if isinstance(self.condition, str) else self.condition,  # type: ignore[arg-type]
            schema=schema,
            postgresql_not_valid=True,
        )

    def _is_there(self, operations: Operations) -> bool:
        """Whether an earlier run of the revision added it already."""
        at = table(operations, self.table_name, self.schema)
        existing = constraint(operations, at, self.constraint_name)
        if existing is None:
            return False
        expected = self._definition(operations, at)
        # The author's text and PostgreSQL's own form differ in parentheses and casts, so both are compared in
        # PostgreSQL's.
        if existing.contype != "c" or expected not in (None, existing.definition.removesuffix(" NOT VALID")):
            raise _other(at, self.constraint_name, existing.definition, expected or "a CHECK")
        log.info("check %s on %s exists already", self.constraint_name, at)
        return True

    def _definition(self, operations: Operations, at: TableOrIndex) -> str | None:
        """The condition in PostgreSQL's own form; None if PostgreSQL could not be asked."""
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
    """Check all rows against a foreign key or CHECK that is NOT VALID, and mark it as valid.

    Args:
        constraint_name: the constraint.
        table_name: its table.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Runs outside a transaction: otherwise the lock of the ADD would be held while the table is read. lock_timeout,
    statement_timeout and transaction_timeout are 0 for that time.

    Lock: SHARE UPDATE EXCLUSIVE on the table, ROW SHARE on a referenced one: neither reads nor writes wait.
    Errors: PgPatternsError if a row violates it (correct the rows, run the revision again), if there is no such
    constraint, or if env.py holds a transaction of its own.
    Reversible: there is nothing to undo. Nothing is done if it is valid already.
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
        way_out = "Correct those rows, then run the revision again; new rows are checked already"
        failure = f"constraint {self.constraint_name} of {self.table_name} could not be validated"
        with outside_transaction(operations, self.name), explained(failure, way_out), without_timeouts(operations):
            emit(
                operations,
                "ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
                table=Name(self.schema, self.table_name),
                name=Name(self.constraint_name),
            )

    def reverse(self) -> NothingToUndo:
        """Nothing to do."""
        return NothingToUndo(f"{self.constraint_name} stays valid until it is dropped")


def drop_if_there(operations: Operations, name: str, table_name: str, schema: str | None) -> None:
    """DROP CONSTRAINT IF EXISTS, on a table that may not exist any more."""
    if offline(operations) or relation(operations, table_name, schema):
        emit(
            operations,
            "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}",
            table=Name(schema, table_name),
            name=Name(name),
        )


register(CreateForeignKeyNotValidOp, CreateCheckNotValidOp, ValidateConstraintOp)
