from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import row_security
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.schema.model import Schema, Table


class PolicyWithoutRowSecurity(SchemaPattern):
    """A table with policies that have no effect, because row-level security is not enabled on it.

    CREATE POLICY does not enable row security, and PostgreSQL does not warn. Whoever may read the table reads all of
    it.

    Partitioned tables are checked. Their partitions are not: queries on the parent use the parent's policies.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Wait while some part of the application does not yet set what the policies read: it would see no rows."
    references = (
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        "https://www.postgresql.org/docs/current/sql-createpolicy.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
    """
    good = bad + "ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables and partitioned tables."""
        for table in schema.checked_tables():
            if table.policies and table.row_security is False:
                names = ", ".join(policy.name for policy in table.policies)
                yield self.finding(
                    at=table,
                    message=f"row security is off on {table.name}: its policies do nothing ({names})",
                    remedy=_remedy(table),
                )


def _remedy(table: Table) -> Remedy:
    """Switching it on with restrictive policies alone would hide every row."""
    if any(policy.permissive for policy in table.policies):
        return row_security(table.name, "ENABLE", "DISABLE", "RowSecurity()")
    return Advice("Write a permissive policy too, then enable row security: restrictive ones alone grant nothing.")
