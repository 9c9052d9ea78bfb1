from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import PUBLIC, revoke
from alembic_pgpatterns.schema.model import Schema


class PublicCanCreate(SchemaPattern):
    """A schema in which every user of the database may create objects.

    A user can create a function or table there that others then find by name. With the default search_path, code that
    runs with another user's rights, even a superuser's, can be made to call it (CVE-2018-1058). Up to PostgreSQL 14
    this was the default for `public`; a database that was upgraded or restored still has it.

    Not reported: CREATE granted to a named role; USAGE for everybody.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "First grant CREATE to the role that runs the migrations, if it does not own the schema."
    references = (
        "https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS",
        "https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058:_Protect_Your_Search_Path",
    )
    bad = "GRANT CREATE ON SCHEMA public TO PUBLIC;"
    good = "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Schemas by their privileges."""
        grants = [grant for grant in schema.grants if grant.target == "schema" and grant.grantee == PUBLIC]
        open_to_all = {grant.name.name: grant for grant in grants if grant.privilege == "CREATE"}
        for namespace in schema.namespaces:
            grant = open_to_all.get(namespace.name)
            if grant is not None:
                yield self.finding(
                    at=namespace,
                    message=f"everybody may create objects in the schema {namespace.name}",
                    remedy=revoke([grant], f"SCHEMA {namespace.identifier}", namespace.owner),
                )
