"""Policies of row-level security."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alembic.operations import ops
from alembic.util import PriorityDispatchResult

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register, register_in_batch
from alembic_pgpatterns.operations.support.policy_sql import create_policy, expressions
from alembic_pgpatterns.operations.support.session import emit, run
from alembic_pgpatterns.operations.support.template import Name, Sql, Template, role_sql

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrateOperation, Operations
    from sqlalchemy import Table

    from alembic_pgpatterns.declare import Policy
    from alembic_pgpatterns.operations.support.policy_reader import ExistingPolicy

PUBLIC: Sequence[str] = ("public",)
COMMANDS = ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE")


class CreatePolicyOp(Directive):
    """Create a policy of row-level security.

    Args:
        policy: the policy's name, unique in its table.
        table: the table.
        using: SQL that existing rows must satisfy. Wrap settings into a sub-select,
        using: SQL that existing rows must satisfy. Put settings into a sub-select,
            ``(select current_setting('app.tenant')::bigint)``: then they are read once, and not once per row.
        with_check: SQL that new rows must satisfy; None means that *using* applies to them too.
        command: ``ALL``, ``SELECT``, ``INSERT``, ``UPDATE`` or ``DELETE``.
        roles: the roles that it applies to; ``public`` is everybody.
        permissive: True combines it with other policies by OR, False by AND.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table, brief; ACCESS SHARE on tables named in the expressions.
    Errors: PgPatternsError on an unknown command; the server's if the policy exists or an expression is not valid
    for the table.
    Reversible: yes. Offline: the same statement. Also as ``batch_op.create_policy()``.
    Source: PostgreSQL documentation, "CREATE POLICY".
    """

    name = "create_policy"
    closes_table = True

    def __init__(
        self,
        policy: str,
        table: str,
        *,
        using: str | None = None,
        with_check: str | None = None,
        command: str = "ALL",
        roles: Sequence[str] = PUBLIC,
        permissive: bool = True,
        schema: str | None = None,
    ) -> None:
        self.policy = policy
        self.table = table
        self.using = using
        self.with_check = with_check
        self.command = command.upper()
        self.roles = (roles,) if isinstance(roles, str) else tuple(roles)
        self.permissive = permissive
        self.schema = schema
        if self.command not in COMMANDS:
            raise errors.PgPatternsError(f"policy {policy!r}: {command!r} is not one of {', '.join(COMMANDS)}")

    @classmethod
    def from_policy(cls, policy: Policy, table: str, schema: str | None) -> CreatePolicyOp:
        """The operation that creates what a model declares."""
        return cls(
            policy.name,
            table,
            using=policy.using,
            with_check=policy.with_check,
            command=policy.command,
            roles=tuple(policy.roles),
            permissive=policy.permissive,
            schema=schema,
        )

    def run(self, operations: Operations) -> None:
        """CREATE POLICY."""
        table = Name(self.schema, self.table)
        run(
            operations,
            create_policy(
                self.policy,
                table,
                self.using,
                self.with_check,
                command=self.command,
                roles=self.roles,
                permissive=self.permissive,
            ),
        )

    def reverse(self) -> DropPolicyOp:
        """Drop it."""
        return DropPolicyOp(self.policy, self.table, schema=self.schema, _reverse=self)


class AlterPolicyOp(Directive):
    """Change the expressions or roles of a policy. What is not given stays as it is.

    Args:
        policy: the policy's name.
        table: its table.
        using: the new condition on existing rows.
        with_check: the new condition on new rows.
        roles: the new roles.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    It cannot remove an expression, nor change the command or the kind: for that, drop the policy and create it again.

    Lock: ACCESS EXCLUSIVE on the table, brief.
    Errors: PgPatternsError if there is nothing to change; the server's if the policy does not exist.
    Reversible: yes, if autogenerate wrote it (it knows the old values). If you wrote it, put the old values into
    ``downgrade()``. Offline: the same statement. Also as ``batch_op.alter_policy()``.
    Source: PostgreSQL documentation, "ALTER POLICY".
    """

    name = "alter_policy"
    closes_table = True

    def __init__(
        self,
        policy: str,
        table: str,
        *,
        using: str | None = None,
        with_check: str | None = None,
        roles: Sequence[str] | None = None,
        schema: str | None = None,
        _reverse: AlterPolicyOp | None = None,
    ) -> None:
        self.policy = policy
        self.table = table
        self.using = using
        self.with_check = with_check
        self.roles = (roles,) if isinstance(roles, str) else roles
        self.schema = schema
        self._reverse = _reverse
        if using is None and with_check is None and roles is None:
            raise errors.PgPatternsError(f"policy {policy!r}: nothing to alter; give using=, with_check= or roles=")

    def run(self, operations: Operations) -> None:
        """ALTER POLICY."""
        emit(
            operations,
            "ALTER POLICY {name} ON {table}{roles}{expressions}",
            name=Name(self.policy),
            table=Name(self.schema, self.table),
            roles=Template(" TO {roles}", roles=role_sql(self.roles)) if self.roles else Sql(""),
            expressions=expressions(self.using, self.with_check),
        )

    def reverse(self) -> AlterPolicyOp:
        """Change it back to the old values.

        Raises:
            PgPatternsError: the old values are not known.
        """
        if self._reverse is None:
            raise errors.PgPatternsError(f"policy {self.policy!r}: its old definition is not known; write downgrade()")
        return self._reverse


class DropPolicyOp(Directive):
    """Drop a policy.

    Args:
        policy: the policy's name.
        table: its table.
        if_exists: no error if it does not exist.
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Lock: ACCESS EXCLUSIVE on the table, brief. If row security is enabled and there is no other policy, only the
    owner sees rows from then on.
    Errors: the server's if the policy does not exist.
    Reversible: yes, if autogenerate wrote it. If you wrote it, put ``op.create_policy`` into ``downgrade()``.
    Offline: the same statement. Also as ``batch_op.drop_policy()``.
    Source: PostgreSQL documentation, "DROP POLICY".
    """

    name = "drop_policy"
    closes_table = True

    def __init__(
        self,
        policy: str,
        table: str,
        *,
        if_exists: bool = False,
        schema: str | None = None,
        _reverse: CreatePolicyOp | None = None,
    ) -> None:
        self.policy = policy
        self.table = table
        self.if_exists = if_exists
        self.schema = schema
        self._reverse = _reverse

    def run(self, operations: Operations) -> None:
        """DROP POLICY."""
        emit(
            operations,
            "DROP POLICY {check}{name} ON {table}",
            check=Sql("IF EXISTS " if self.if_exists else ""),
            name=Name(self.policy),
            table=Name(self.schema, self.table),
        )

    def reverse(self) -> CreatePolicyOp:
        """Create it again.

        Raises:
            PgPatternsError: its definition is not known.
        """
        if self._reverse is None:
            raise errors.PgPatternsError(f"policy {self.policy!r}: its definition is not known; write downgrade()")
        return self._reverse


def compare_policies(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Make the policies of each table that declares row security or a policy equal to what it declares."""
    from alembic_pgpatterns.declare import Policy, RowSecurity, declared_of
    from alembic_pgpatterns.operations.support import comparing
    from alembic_pgpatterns.operations.support.policy_reader import existing_policies, same_policies

    tables = comparing.declaring_tables(context, Policy, RowSecurity)
    existing_of = existing_policies(context, tables) if tables else {}
    changed = _changed_columns(context, upgrade_ops) if tables else set()
    for table in tables:
        existing = existing_of.get((comparing.schema_of(context, table), table.name), {})
        declared = {policy.name: policy for policy in declared_of(table, Policy)}
        same = same_policies(context, table, [declared[n] for n in declared if n in existing], existing)
        for name in sorted({*declared, *existing}):
            plan = _plan(table, declared.get(name), existing.get(name), name in same, changed)
            _place(upgrade_ops, *plan)
    return PriorityDispatchResult.CONTINUE


def _plan(
    table: Table,
    declared: Policy | None,
    existing: ExistingPolicy | None,
    same: bool,
    changed: set[tuple[str, str, str | None]],
) -> tuple[DropPolicyOp | None, MigrateOperation | None]:
    """The operations to put before the revision's other operations, and after them."""
    create = CreatePolicyOp.from_policy(declared, table.name, table.schema) if declared else None
    if existing is None:
        return None, create
    old = CreatePolicyOp.from_policy(existing.policy, table.name, table.schema)
    # PostgreSQL drops no column, and changes no column's type, that a policy reads.
    in_the_way = bool(existing.columns & changed)
    if create is None:
        return old.reverse(), None
    if in_the_way or (not same and not _alterable(old, create)):
        return old.reverse(), create
    return None, None if same else _alteration(old, create)


def _alterable(old: CreatePolicyOp, new: CreatePolicyOp) -> bool:
    removed = any(a is not None and b is None for a, b in _expression_pairs(old, new))
    # ALTER POLICY cannot remove an expression, and the downgrade must not need that either
    added = any(a is None and b is not None for a, b in _expression_pairs(old, new))
    return not removed and not added and (old.command, old.permissive) == (new.command, new.permissive)


def _expression_pairs(old: CreatePolicyOp, new: CreatePolicyOp) -> list[tuple[str | None, str | None]]:
    return [(old.using, new.using), (old.with_check, new.with_check)]


def _alteration(old: CreatePolicyOp, new: CreatePolicyOp) -> AlterPolicyOp:
    upgrade, downgrade = (
        AlterPolicyOp(
            new.policy,
            new.table,
            using=each.using,
            with_check=each.with_check,
            roles=each.roles if set(old.roles) != set(new.roles) else None,
            schema=new.schema,
        )
        for each in (new, old)
    )
    upgrade._reverse, downgrade._reverse = downgrade, upgrade
    return upgrade


def _place(upgrade_ops: ops.UpgradeOps, first: MigrateOperation | None, last: MigrateOperation | None) -> None:
    from alembic_pgpatterns.operations.support.comparing import add, log

    for operation in (first, last):
        if isinstance(operation, CreatePolicyOp | AlterPolicyOp | DropPolicyOp):
            log.info("Detected %s %r on %r", operation.name.replace("_", " "), operation.policy, operation.table)
    if first is not None:
        upgrade_ops.ops.insert(0, first)
    if last is not None:
        add(upgrade_ops, last)


def _changed_columns(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> set[tuple[str, str, str | None]]:
    """Columns that this revision drops or changes the type of, and tables that it drops (column None).

    PostgreSQL refuses both while a policy depends on them.
    """
    from alembic_pgpatterns.operations.support.comparing import all_operations

    assert context.dialect is not None
    default = context.dialect.default_schema_name or "public"
    changed: set[tuple[str, str, str | None]] = set()
    for operation in all_operations(upgrade_ops):
        if isinstance(operation, ops.DropTableOp):
            changed.add((operation.schema or default, operation.table_name, None))
        elif isinstance(operation, ops.DropColumnOp) or (
            isinstance(operation, ops.AlterColumnOp) and operation.modify_type is not None
        ):
            changed.add((operation.schema or default, operation.table_name, operation.column_name))
    return changed


register(CreatePolicyOp, AlterPolicyOp, DropPolicyOp)
register_in_batch(CreatePolicyOp, AlterPolicyOp, DropPolicyOp)
