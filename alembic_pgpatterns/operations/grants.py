"""Privileges of roles on objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from alembic.util import PriorityDispatchResult

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, NothingToUndo, register
from alembic_pgpatterns.operations.support import acl
from alembic_pgpatterns.operations.support.session import emit
from alembic_pgpatterns.operations.support.template import Name, Sql, role_sql

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrateOperation, Operations, ops

    from alembic_pgpatterns.declare import Grant

KINDS = {
    "table": "TABLE",
    "sequence": "SEQUENCE",
    "schema": "SCHEMA",
    "database": "DATABASE",
    "function": "FUNCTION",
    "type": "TYPE",
    "all tables": "ALL TABLES IN SCHEMA",
    "all sequences": "ALL SEQUENCES IN SCHEMA",
    "all functions": "ALL FUNCTIONS IN SCHEMA",
}


class _Privileges(Directive):
    """The arguments that GRANT and REVOKE share."""

    def __init__(
        self,
        privileges: str | Sequence[str],
        on: str,
        roles: str | Sequence[str],
        *,
        kind: str = "table",
        schema: str | None = None,
        grant_option: bool = False,
    ) -> None:
        if kind not in KINDS:
            raise errors.PgPatternsError(f"privileges on a {kind!r}: kind is one of {', '.join(KINDS)}")
        self.privileges = acl.privilege_names(privileges)
        self.on = on
        self.roles = acl.role_names(roles)
        self.kind = kind
        self.schema = schema
        self.grant_option = grant_option

    def _emit(self, operations: Operations, template: str) -> None:
        emit(
            operations,
            template,
            privileges=acl.privilege_sql(self.privileges),
            kind=Sql(KINDS[self.kind]),
            object=Name(self.schema, self.on),
            roles=role_sql(self.roles),
        )


class GrantOp(_Privileges):
    """Grant privileges to roles.

    Args:
        privileges: ``"SELECT"`` or several; ``"ALL"``.
        on: the object's name; with ``kind="all tables"`` and the like, the schema's name.
        roles: the role, or several; ``public`` is everybody.
        kind: ``table`` (views too), ``sequence``, ``schema``, ``database``, ``function`` (if only one has the name),
            ``type``, ``all tables``, ``all sequences``, ``all functions``.
        schema: the object's schema; None: PostgreSQL looks along the search path.
        grant_option: whether the roles may grant the privileges to others.

    Lock: none that others wait for. The role must own the object or have the grant option.
    Errors: PgPatternsError on an unknown privilege or kind; the server's if a role or the object does not exist.
    Reversible: yes, by ``op.revoke``. Offline: the same statement.
    Source: PostgreSQL documentation, "GRANT".
    """

    name = "grant"

    def run(self, operations: Operations) -> None:
        """GRANT."""
        option = " WITH GRANT OPTION" if self.grant_option else ""
        self._emit(operations, "GRANT {privileges} ON {kind} {object} TO {roles}" + option)

    def reverse(self) -> RevokeOp:
        """Revoke it."""
        return RevokeOp(self.privileges, self.on, self.roles, kind=self.kind, schema=self.schema)


class RevokeOp(_Privileges):
    """Revoke privileges from roles.

    Args:
        privileges: ``"SELECT"`` or several; ``"ALL"``.
        on: the object's name, as in ``op.grant``.
        roles: the role, or several; ``public`` is everybody.
        kind: as in ``op.grant``.
        schema: the object's schema; None: PostgreSQL looks along the search path.
        grant_option: revoke only the right to grant the privileges to others.

    Lock: none that others wait for. The role must own the object or have the grant option.
    Errors: PgPatternsError on an unknown privilege or kind; the server's if a role or the object does not exist.
    Reversible: yes, by ``op.grant``, which grants all of *privileges*, also those that the roles did not have.
    Offline: the same statement.
    Source: PostgreSQL documentation, "REVOKE".
    """

    name = "revoke"

    def run(self, operations: Operations) -> None:
        """REVOKE."""
        option = "GRANT OPTION FOR " if self.grant_option else ""
        self._emit(operations, "REVOKE " + option + "{privileges} ON {kind} {object} FROM {roles}")

    def reverse(self) -> GrantOp:
        """Grant it."""
        return GrantOp(
            self.privileges,
            self.on,
            self.roles,
            kind=self.kind,
            schema=self.schema,
            grant_option=self.grant_option,
        )


class RevokePublicSchemaOp(Directive):
    """Stop everybody from creating objects in a schema, which is the default since PostgreSQL 15.

    Args:
        schema: the schema.
        privileges: the privileges that everybody loses.
        previous: the privileges that ``downgrade()`` grants again; none by default, since that would be unsafe.

    Lock: none that others wait for. The role must own the schema.
    Errors: the server's if the schema does not exist.
    Reversible: yes, to *previous*. Offline: the same statement.
    Source: PostgreSQL documentation, "Schemas", Usage Patterns.
    """

    name = "revoke_public_schema"

    def __init__(
        self,
        schema: str = "public",
        *,
        privileges: Sequence[str] = ("CREATE",),
        previous: Sequence[str] = (),
    ) -> None:
        self.schema = schema
        self.privileges = acl.privilege_names(privileges)
        self.previous = acl.privilege_names(previous) if previous else ()

    def run(self, operations: Operations) -> None:
        """REVOKE ... FROM PUBLIC."""
        operations.invoke(RevokeOp(self.privileges, self.schema, "public", kind="schema"))

    def reverse(self) -> MigrateOperation:
        """Grant the previous privileges."""
        if not self.previous:
            return NothingToUndo(f"nobody gets back the right to create objects in schema {self.schema}")
        return GrantOp(self.previous, self.schema, "public", kind="schema")


class _Catalog(NamedTuple):
    """The catalog and columns with the access list of one kind of object. *namespace* is None if it has no schema."""

    letter: str
    table: str
    name: str
    acl: str
    owner: str
    namespace: str | None = None


_CATALOGS = {
    "table": _Catalog("r", "pg_class", "relname", "relacl", "relowner", "relnamespace"),
    "sequence": _Catalog("s", "pg_class", "relname", "relacl", "relowner", "relnamespace"),
    "schema": _Catalog("n", "pg_namespace", "nspname", "nspacl", "nspowner"),
    "database": _Catalog("d", "pg_database", "datname", "datacl", "datdba"),
    "function": _Catalog("f", "pg_proc", "proname", "proacl", "proowner", "pronamespace"),
    "type": _Catalog("T", "pg_type", "typname", "typacl", "typowner", "typnamespace"),
}

# An object whose list is null has the built-in default privileges (docs, "Privileges").
_ACCESS = """
    SELECT n.nspname AS schema, o.{name} AS object, pg_catalog.pg_get_userbyid(o.{owner}) AS owner, {columns}
    FROM pg_catalog.{table} o
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = {namespace}
    CROSS JOIN LATERAL aclexplode(coalesce(o.{acl}, acldefault(CAST(:letter AS "char"), o.{owner}))) AS a
    WHERE (coalesce(n.nspname, ''), o.{name}) IN (
        SELECT * FROM unnest(CAST(:schemas AS text[]), CAST(:names AS text[])))
"""


class _Target(NamedTuple):
    """An object and a role whose privileges on it are declared."""

    kind: str
    schema: str | None
    object: str
    role: str


def compare_grants(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Make the privileges of each declared pair of role and object equal to what is declared."""
    from alembic_pgpatterns.operations.support import comparing

    targets: dict[_Target, list[Grant]] = {}
    for target, grant in _targets(context):
        targets.setdefault(target, []).append(grant)
    everything = {kind: _everything(context, kind) for kind in {target.kind for target in targets}}
    access = {kind: _access(context, kind, list(targets)) for kind in everything}
    for target, grants in targets.items():
        owner, privileges_of = access[target.kind].get(_place(context, target), (None, {}))
        # An owner has every privilege, in the list or not.
        if owner == target.role:
            continue
        actual = privileges_of.get("public" if target.role.lower() == "public" else target.role, {})
        expected: dict[str, bool] = {}
        for grant in grants:
            for privilege in acl.expanded(grant.privileges, everything[target.kind]):
                expected[privilege] = expected.get(privilege, False) or grant.grant_option
        for change in acl.changes(target.role, expected, actual, everything[target.kind]):
            operation = _operation(target, change)
            comparing.log.info("Detected %s of %s on %s", operation.name, ", ".join(change.privileges), target.object)
            comparing.add(upgrade_ops, operation)
    return PriorityDispatchResult.CONTINUE


def _targets(context: AutogenContext) -> Iterator[tuple[_Target, Grant]]:
    from alembic_pgpatterns.declare import Grant, declared_of
    from alembic_pgpatterns.operations.support import comparing

    for table in comparing.declaring_tables(context, Grant):
        for grant in declared_of(table, Grant):
            for role in grant.to:
                yield _Target("table", table.schema, str(table.name), role), grant
    for grant in comparing.declared_on_metadata(context, Grant):
        if grant.on is None or grant.kind not in _CATALOGS:
            raise errors.PgPatternsError(
                f"{grant!r} on the MetaData: give on= (the object's name) and kind=, one of {', '.join(_CATALOGS)}"
            )
        for role in grant.to:
            yield _Target(grant.kind, grant.schema, grant.on, role), grant


_Held = dict[str, dict[str, bool]]


def _access(context: AutogenContext, kind: str, targets: Sequence[_Target]) -> dict[tuple[str, str], tuple[str, _Held]]:
    """By schema and name: the owner of each object of this kind, and the privileges of each role."""
    from alembic_pgpatterns.operations.support import comparing

    catalog = _CATALOGS[kind]
    facts = catalog._asdict() | {"namespace": f"o.{catalog.namespace}" if catalog.namespace else "NULL"}
    places = sorted({_place(context, target) for target in targets if target.kind == kind})
    rows = comparing.fetch(
        context,
        _ACCESS.format(columns=acl.ACL, **facts),
        letter=catalog.letter,
        schemas=[schema for schema, _ in places],
        names=[name for _, name in places],
    )
    access: dict[tuple[str, str], tuple[str, _Held]] = {}
    for row in rows:
        _, privileges_of = access.setdefault((row.schema or "", row.object), (row.owner, {}))
        privileges_of.setdefault(row.role, {})[row.privilege] = row.grantable
    return access


def _place(context: AutogenContext, target: _Target) -> tuple[str, str]:
    """Schema and name. The schema is empty for kinds that are in no schema."""
    assert context.dialect is not None
    if _CATALOGS[target.kind].namespace is None:
        return "", target.object
    return target.schema or context.dialect.default_schema_name or "public", target.object


def _everything(context: AutogenContext, kind: str) -> frozenset[str]:
    """What ALL means for this kind on this server (PostgreSQL 17 added MAINTAIN)."""
    from alembic_pgpatterns.operations.support import comparing

    # 10 is the superuser that initdb makes. As the owner of an object it has every privilege of that kind.
    query = 'SELECT privilege_type AS p FROM aclexplode(acldefault(CAST(:letter AS "char"), 10)) WHERE grantee = 10'
    return frozenset(row.p for row in comparing.fetch(context, query, letter=_CATALOGS[kind].letter))


def _operation(target: _Target, change: acl.AclChange) -> GrantOp | RevokeOp:
    return (GrantOp if change.grant else RevokeOp)(
        change.privileges,
        target.object,
        (change.role,),
        kind=target.kind,
        schema=target.schema,
        grant_option=change.grant_option,
    )


register(GrantOp, RevokeOp, RevokePublicSchemaOp)
