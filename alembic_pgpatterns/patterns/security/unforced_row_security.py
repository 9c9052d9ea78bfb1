from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Fold, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import PUBLIC, row_security
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.schema.model import Policy, Schema, Table


class UnforcedRowSecurity(SchemaPattern):
    """Row-level security that the table's owner bypasses.

    PostgreSQL does not apply policies to the owner of a table. If the application connects as the role that ran the
    migrations, it is the owner, and the policies protect nothing. `ALTER TABLE … FORCE ROW LEVEL SECURITY` applies them
    to the owner, too. (Superusers and roles with BYPASSRLS bypass them in any case.)

    Partitioned tables are checked. Not reported: partitions, and tables with row security but no policy.
    """

    severity = Severity.INFO
    action = Action.REPORT
    needs = Needs.DATABASE
    fold = Fold.ALL
    not_when = (
        "Leave it if the application connects as a role that is not the owner. FORCE also hides rows from "
        "the owner's data migrations, unless they set the parameters that the policies read."
    )
    references = (
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        "https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-FORCE-ROW-LEVEL-SECURITY",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
    """
    good = bad + "ALTER TABLE invoice FORCE ROW LEVEL SECURITY;"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables and partitioned tables with policies."""
        for table in schema.checked_tables():
            if table.row_security is True and table.force_row_security is False and table.policies:
                yield self.finding(
                    at=table,
                    message=f"the owner of {table.name}, {table.owner}, bypasses its row-level security",
                    remedy=_remedy(table),
                )


def _remedy(table: Table) -> Remedy:
    """FORCE would lock out an owner to whom no policy applies."""
    if any(_lets_owner_in(policy, table) for policy in table.policies):
        return row_security(table.name, "FORCE", "NO FORCE", "RowSecurity(force=True)")
    return Advice(f"No policy for all commands lets {table.owner} in: write one, then force row security.")


def _lets_owner_in(policy: Policy, table: Table) -> bool:
    concerned = PUBLIC in policy.roles or table.owner in policy.roles
    # Restrictive policies alone let nobody in.
    return policy.permissive and policy.command == "ALL" and concerned
