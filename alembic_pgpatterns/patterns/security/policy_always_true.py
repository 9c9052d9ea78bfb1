from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import PUBLIC
from alembic_pgpatterns.patterns.security._tree import always_true
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Policy, Schema, Table

WRITES = frozenset({"ALL", "INSERT", "UPDATE", "DELETE"})


class PolicyAlwaysTrue(SchemaPattern):
    """A policy whose condition is always true, so everybody it applies to can write every row.

    PostgreSQL joins permissive policies with OR: one that is always true makes all others for the same command and
    roles pointless. `USING (true)` allows updating or deleting any row, `WITH CHECK (true)` allows writing any row,
    also for another tenant.

    Not reported: policies FOR SELECT (public data is no mistake), restrictive policies, and a permissive policy beside
    a restrictive one that is not always true for the same command and roles: this is how a table with only restrictive
    rules is set up. A policy for named roles is only an info if all other roles must meet a condition: then the
    exempt roles were chosen.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    references = (
        "https://www.postgresql.org/docs/current/sql-createpolicy.html",
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY anything ON invoice USING (true);
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY anybody_reads ON invoice FOR SELECT USING (true);
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Policies of tables and partitioned tables."""
        for table in schema.checked_tables():
            for policy in table.policies:
                clauses = _always_true(policy)
                if policy.permissive and policy.command in WRITES and clauses and not _restricted(policy, table):
                    yield self._finding(table, policy, clauses)

    def _finding(self, table: Table, policy: Policy, clauses: list[str]) -> Finding:
        command = "writes" if policy.command == "ALL" else policy.command
        whom = "everybody" if PUBLIC in policy.roles else ", ".join(policy.roles)
        return self.finding(
            at=policy,
            message=f"the policy {policy.name} of {table.name} is always true for {command} by {whom} "
            f"({' and '.join(clauses)})",
            remedy=Advice(f"Say whose rows may be written: {' and '.join(clauses)} with a condition."),
            severity=Severity.INFO if _exempts(policy, table) else None,
            cause=f"{policy.command} {policy.using} {policy.check}",
        )


def _always_true(policy: Policy) -> list[str]:
    clauses = {"USING": policy.using, "WITH CHECK": policy.check}
    return [clause for clause, text in clauses.items() if text is not None and always_true(text)]


def _exempts(policy: Policy, table: Table) -> bool:
    """Whether it lets some roles pass where all others meet a condition."""
    others = (other for other in table.policies if other.permissive and not _always_true(other))
    return PUBLIC not in policy.roles and any(not set(other.roles) <= set(policy.roles) for other in others)


def _restricted(policy: Policy, table: Table) -> bool:
    """Whether a restrictive policy stands behind it for each command by which it lets rows be written."""
    commands = WRITES - {"ALL"} if policy.command == "ALL" else {policy.command}
    behind = [other for other in table.policies if _restricts(other, policy)]
    return all(any(other.command in ("ALL", command) for other in behind) for command in commands)


def _restricts(other: Policy, policy: Policy) -> bool:
    concerned = PUBLIC in other.roles or set(policy.roles) <= set(other.roles)
    return not other.permissive and concerned and not _always_true(other)
