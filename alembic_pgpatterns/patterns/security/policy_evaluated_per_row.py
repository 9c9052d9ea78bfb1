from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._functions import Functions, spelled
from alembic_pgpatterns.patterns.security._statements import alter_policy
from alembic_pgpatterns.patterns.security._tree import FunctionName, Repeated, repeated
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.schema.model import Policy, Schema


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What counts as a value of the session."""

    functions: tuple[str, ...] = ("auth.uid", "auth.jwt", "auth.role", "auth.email")
    """Functions that give one value for a whole query although the catalog does not say so, with their schema."""


class PolicyEvaluatedPerRow(SchemaPattern):
    """A row-level security policy that calls the same function again for every row it reads.

    `tenant_id = current_setting('app.tenant')::bigint` calls the function and casts its result for each row. Put the
    call into a sub-select, `(SELECT current_setting('app.tenant')::bigint)`, and PostgreSQL runs it once per query.

    These calls in USING and WITH CHECK are reported if they are not in such a sub-select: PostgreSQL's functions that
    read the session (`current_setting`, `pg_has_role` and similar), your own functions that are not IMMUTABLE, and
    those in the option `functions`. A sub-select that depends on the row, as in `EXISTS (SELECT … WHERE m.team =
    doc.team AND m.member = auth.uid())`, runs the call even more often and is reported too.

    Not reported: functions with a column of the row as argument (`has_access(tenant_id)`), which must run for each row;
    IMMUTABLE functions; `now()` and `CURRENT_DATE`, which cost nothing; `CURRENT_USER` and `SESSION_USER`; policies on
    the partitions of a table.

    A function of yours is VOLATILE unless it says otherwise. Declare it STABLE first: PostgreSQL cannot use an index
    for a comparison with a VOLATILE function.
    """

    Options = PolicyOptions
    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Leave it if the table is small and stays small."
    references = (
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        "https://www.postgresql.org/docs/current/xfunc-volatility.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id integer NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice
            USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer);
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id integer NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice
            USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::integer));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Policies of tables and partitioned tables."""
        functions = Functions(schema, self.options.functions)
        # Many tables share the text of their policy.
        read = cache(partial(repeated, is_meant=functions.same_for_all_rows, movable=functions.movable))
        for table in schema.checked_tables():
            for policy in table.policies:
                clauses = [read(text) if text else Repeated() for text in (policy.using, policy.check)]
                calls = list(dict.fromkeys(name for clause in clauses for name in clause.functions))
                if calls:
                    names = " and ".join(map(spelled, calls))
                    yield self.finding(
                        at=policy,
                        message=f"the policy {policy.name} of {table.name} calls {names} once per row",
                        remedy=_remedy(policy, clauses, functions),
                        # One helper or habit writes them all, whatever else each compares.
                        cause=names,
                    )


def _remedy(policy: Policy, clauses: list[Repeated], functions: Functions) -> Remedy:
    called: list[FunctionName] = [name for clause in clauses for name in clause.functions]
    volatile = [spelled(name) for name in dict.fromkeys(called) if functions.volatile(name)]
    if volatile:
        return Advice(
            f"Declare {' and '.join(volatile)} STABLE if the value is the same for all rows of a query, then wrap the "
            f"call in the policy: (SELECT {volatile[0]})."
        )
    if any(clause.functions and clause.wrapped is None for clause in clauses):
        call = f"(SELECT {spelled(called[0])})"
        return Advice(f"Wrap each call in a sub-select: {call}; right of ANY with the array's type: {call}::type[].")
    using, check = (clause.wrapped for clause in clauses)
    return alter_policy(policy, using or policy.using, check or policy.check)
