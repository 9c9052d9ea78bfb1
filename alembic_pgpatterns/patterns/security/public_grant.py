from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Identified, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import PUBLIC, privilege, revoke, revoke_default
from alembic_pgpatterns.schema.model import NO_ORIGIN, DefaultPrivilege, Grant, Name, Origin, Schema
from alembic_pgpatterns.schema.names import quote

CHOSEN = frozenset({"table", "sequence", "schema"})
"""Objects on which PostgreSQL grants nothing to PUBLIC by default, unlike functions and types."""


class PublicGrant(SchemaPattern):
    """A privilege on tables that is granted to PUBLIC: everybody who can connect, now and later.

    Reported are tables, partitioned tables, views and materialised views with a privilege for PUBLIC, on all or some
    columns; and default privileges that will grant PUBLIC something on every new table, sequence or schema.

    Not reported: grants to named roles; partitions of a table; functions and types, which PostgreSQL itself opens to
    PUBLIC; members of extensions.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "First grant the privilege by name to the roles that use it through PUBLIC."
    references = (
        "https://www.postgresql.org/docs/current/ddl-priv.html",
        "https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY);
        GRANT SELECT, INSERT ON invoice TO PUBLIC;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY);
        GRANT SELECT, INSERT ON invoice TO pg_monitor;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor;
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables and views in order, then default privileges."""
        grants: dict[Name, list[Grant]] = defaultdict(list)
        for grant in schema.grants:
            if grant.target == "table" and grant.grantee == PUBLIC:
                grants[grant.name].append(grant)
        for relation, owner in _relations(schema):
            if relation.table in grants:
                yield self._on_relation(relation, owner, grants[relation.table])
        yield from self._defaults(schema)

    def _on_relation(self, relation: Identified, owner: str, grants: list[Grant]) -> Finding:
        return self.finding(
            at=relation,
            message=f"everybody has {', '.join(map(privilege, grants))} on {relation.identifier}",
            remedy=revoke(grants, f"TABLE {relation.identifier}", owner),
        )

    def _defaults(self, schema: Schema) -> Iterator[Finding]:
        entries: dict[_Entry, list[DefaultPrivilege]] = defaultdict(list)
        for granted in schema.default_privileges:
            if granted.grantee == PUBLIC and granted.target in CHOSEN:
                entries[_Entry(granted.owner, granted.schema, granted.target)].append(granted)
        for entry, privileges in entries.items():
            names = [granted.privilege for granted in privileges]
            yield self.finding(
                at=entry,
                message=f"everybody will have {', '.join(names)} on {entry.objects}",
                remedy=revoke_default(privileges),
            )


def _relations(schema: Schema) -> Iterator[tuple[Identified, str]]:
    """What a grant on a table can be about, with its owner; a materialised view is both a table and a view here."""
    for table in schema.tables:
        if table.partition_of is None and isinstance(table.owner, str):
            yield table, table.owner
    for view in schema.views:
        if not view.materialized:
            yield view, view.owner


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of pg_default_acl: what objects a role creates from now on, everywhere or in one schema."""

    owner: str
    schema: str | None
    target: str
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> None:
        """It belongs to no table."""
        return None

    @property
    def identifier(self) -> str:
        """``default privileges of owner in schema on tables``."""
        where = f" in {quote(self.schema)}" if self.schema is not None else ""
        return f"default privileges of {quote(self.owner)}{where} on {self.target}s"

    @property
    def objects(self) -> str:
        """For people."""
        where = f" in {self.schema}" if self.schema is not None else ""
        return f"each {self.target} that {self.owner} creates{where}"
