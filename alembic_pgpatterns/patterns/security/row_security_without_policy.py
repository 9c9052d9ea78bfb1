from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema, Table


class RowSecurityWithoutPolicy(SchemaPattern):
    """A table with row-level security enabled but no policy that allows anything.

    Without a permissive policy everything is denied: only the table's owner, superusers and roles with BYPASSRLS see a
    row or can write one. There is no error; queries just return nothing. Restrictive policies only limit what
    permissive ones allow, so alone they are as good as none.

    Partitioned tables are checked. Their partitions are not: row security without a policy on a partition is the right
    way to forbid direct access to it, because queries on the parent use the parent's policies.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    references = (
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        "https://www.postgresql.org/docs/current/sql-createpolicy.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
    """
    good = bad + "CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables and partitioned tables."""
        for table in schema.checked_tables():
            if table.row_security is True and not any(policy.permissive for policy in table.policies):
                yield self.finding(at=table, message=_message(table), remedy=ADVICE)


ADVICE = Advice(
    "Write a permissive policy for those who are meant to see rows, or disable row security. To close a table to all "
    "but its owner, REVOKE says it better: whoever tries gets an error."
)


def _message(table: Table) -> str:
    policies = "restrictive policies only" if table.policies else "no policy"
    others = "nobody" if table.force_row_security is True else "nobody but the owner"
    return f"{table.name} has row security and {policies}: {others} sees a row"
