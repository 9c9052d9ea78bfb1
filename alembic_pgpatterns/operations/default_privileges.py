"""Privileges on objects that are created later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from alembic.util import PriorityDispatchResult

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support import acl
from alembic_pgpatterns.operations.support.session import emit
from alembic_pgpatterns.operations.support.template import Name, Sql, Template, role_sql

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations, ops

LETTERS = {"tables": "r", "sequences": "S", "functions": "f", "types": "T", "schemas": "n"}


class _DefaultPrivileges(Directive):
    """The arguments that granting and revoking share."""

    def __init__(
        self,
        privileges: str | Sequence[str],
        on: str,
        roles: str | Sequence[str],
        *,
        schema: str | None = None,
        creator: str | None = None,
    ) -> None:
        if on.lower() not in LETTERS:
            raise errors.PgPatternsError(f"default privileges on {on!r}: expected is one of {', '.join(LETTERS)}")
        self.privileges = acl.privilege_names(privileges)
        self.on = on.lower()
        self.roles = acl.role_names(roles)
        self.schema = schema
        self.creator = creator

    def _emit(self, operations: Operations, template: str) -> None:
        emit(
            operations,
            "ALTER DEFAULT PRIVILEGES{creator}{schema} " + template,
            creator=Template(" FOR ROLE {name}", name=Name(self.creator)) if self.creator else Sql(""),
            schema=Template(" IN SCHEMA {name}", name=Name(self.schema)) if self.schema else Sql(""),
            privileges=acl.privilege_sql(self.privileges),
            on=Sql(self.on.upper()),
            roles=role_sql(self.roles),
        )


class GrantDefaultPrivilegesOp(_DefaultPrivileges):
    """Grant roles privileges on objects that are created from now on.

    Args:
        privileges: ``"SELECT"`` or several; ``"ALL"``.
        on: ``tables``, ``sequences``, ``functions``, ``types`` or ``schemas``.
        roles: the role, or several; ``public`` is everybody.
        schema: only in this schema; None is the whole database.
        creator: only for objects that this role creates; None is the role that runs the migration.

    Lock: none. The role that runs it must be a member of *creator*.
    Errors: PgPatternsError on an unknown privilege; the server's if a role or the schema is missing.
    Reversible: yes, by ``op.revoke_default_privileges``. Offline: the same statement.
    Source: PostgreSQL documentation, "ALTER DEFAULT PRIVILEGES".
    """

    name = "grant_default_privileges"

    def run(self, operations: Operations) -> None:
        """ALTER DEFAULT PRIVILEGES ... GRANT."""
        self._emit(operations, "GRANT {privileges} ON {on} TO {roles}")

    def reverse(self) -> RevokeDefaultPrivilegesOp:
        """Revoke them."""
        return RevokeDefaultPrivilegesOp(self.privileges, self.on, self.roles, schema=self.schema, creator=self.creator)


class RevokeDefaultPrivilegesOp(_DefaultPrivileges):
    """Stop granting roles privileges on objects that are created from now on.

    Args:
        privileges: ``"SELECT"`` or several; ``"ALL"``.
        on: ``tables``, ``sequences``, ``functions``, ``types`` or ``schemas``.
        roles: the role, or several; ``public`` is everybody.
        schema: only in this schema; None is the whole database.
        creator: only for objects that this role creates; None is the role that runs the migration.

    Lock: none. The role that runs it must be a member of *creator*.
    Errors: PgPatternsError on an unknown privilege; the server's if a role or the schema is missing.
    Reversible: yes, by ``op.grant_default_privileges``. Offline: the same statement.
    Source: PostgreSQL documentation, "ALTER DEFAULT PRIVILEGES".
    """

    name = "revoke_default_privileges"

    def run(self, operations: Operations) -> None:
        """ALTER DEFAULT PRIVILEGES ... REVOKE."""
        self._emit(operations, "REVOKE {privileges} ON {on} FROM {roles}")

    def reverse(self) -> GrantDefaultPrivilegesOp:
        """Grant them."""
        return GrantDefaultPrivilegesOp(self.privileges, self.on, self.roles, schema=self.schema, creator=self.creator)


class _Target(NamedTuple):
    on: str
    schema: str | None
    creator: str | None
    role: str


# Without an entry, objects get the built-in defaults. An entry for one schema can only add to them.
_DEFAULTS = f"""
    WITH creator AS (
        SELECT oid FROM pg_catalog.pg_roles WHERE rolname = coalesce(CAST(:creator AS text), current_user)
    ), entry AS (
        SELECT d.defaclacl FROM pg_catalog.pg_default_acl d JOIN creator ON creator.oid = d.defaclrole
        WHERE d.defaclobjtype::text = :letter AND d.defaclnamespace = coalesce(
            (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = CAST(:schema AS text)), 0)
    )
    SELECT {acl.ACL}
    FROM creator LEFT JOIN entry ON true
    CROSS JOIN LATERAL aclexplode(coalesce(entry.defaclacl, CASE WHEN CAST(:schema AS text) IS NULL
        THEN acldefault(CAST(:builtin AS "char"), creator.oid) END)) AS a
"""  # noqa: S608 - only fixed words


def compare_default_privileges(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Make default privileges equal to what is declared, for each declared role and place."""
    from alembic_pgpatterns.declare import DefaultPrivileges
    from alembic_pgpatterns.operations.support import comparing

    targets: dict[_Target, set[str]] = {}
    for item in comparing.declared_on_metadata(context, DefaultPrivileges):
        for role in item.to:
            target = _Target(item.on.lower(), item.schema, item.creator, role)
            targets.setdefault(target, set()).update(item.privileges)
    for target, privileges in targets.items():
        everything = _everything(context, target)
        expected = dict.fromkeys(acl.expanded(privileges, everything), False)
        for change in acl.changes(target.role, expected, _held(context, target), everything):
            kind = GrantDefaultPrivilegesOp if change.grant else RevokeDefaultPrivilegesOp
            comparing.log.info("Detected default privileges of %s on %s", target.role, target.on)
            comparing.add(
                upgrade_ops,
                kind(change.privileges, target.on, (target.role,), schema=target.schema, creator=target.creator),
            )
    return PriorityDispatchResult.CONTINUE


def _held(context: AutogenContext, target: _Target) -> dict[str, bool]:
    from alembic_pgpatterns.operations.support import comparing

    letter = LETTERS[target.on]
    rows = comparing.fetch(
        context,
        _DEFAULTS,
        creator=target.creator,
        letter=letter,
        schema=target.schema,
        builtin=_builtin(letter),
    )
    role = "public" if target.role.lower() == "public" else target.role
    return dict.fromkeys(acl.held(rows).get(role, {}), False)


def _everything(context: AutogenContext, target: _Target) -> frozenset[str]:
    from alembic_pgpatterns.operations.support import comparing

    # As in `grants`: the privileges of an owner are all that there are.
    query = 'SELECT privilege_type AS p FROM aclexplode(acldefault(CAST(:letter AS "char"), 10)) WHERE grantee = 10'
    return frozenset(row.p for row in comparing.fetch(context, query, letter=_builtin(LETTERS[target.on])))


def _builtin(letter: str) -> str:
    # acldefault() writes "s" for sequences, pg_default_acl writes "S"
    return letter.lower() if letter == "S" else letter


register(GrantDefaultPrivilegesOp, RevokeDefaultPrivilegesOp)
