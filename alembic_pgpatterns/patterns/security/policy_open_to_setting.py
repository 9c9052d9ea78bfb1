from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._tree import kind_of, of_row
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Policy, Schema
from alembic_pgpatterns.schema.sql.expressions import parse
from alembic_pgpatterns.schema.sql.parser import OR_EXPR, FuncCall, SQLValueFunction, SubLink, postgast

HARMLESS = frozenset({"current_setting", "nullif", "coalesce", "lower", "upper", "btrim"})
"""What may stand around a setting without asking who is there."""
OF_THE_SERVICE = "request."
"""Settings of PostgREST, whose users send no SQL of their own."""


class PolicyOpenToSetting(SchemaPattern):
    """A row-level security policy that shows all rows if a setting has a certain value, which any session may set.

    `USING (current_setting('app.bypass', true) = 'on' OR tenant_id = …)` is meant as a way out for jobs. But every role
    may `SET app.bypass = 'on'`. Whoever can run SQL as the application's role, through an injection for example, sees
    all rows; and a pooled connection on which it was set and not RESET keeps it for the next request.

    A condition with `… IS NULL` or `= ''` is the same the other way round: who forgets to set the tenant sees
    everything.

    Recognised are branches of the outermost OR that test a setting of the application's (`name.name`) and nothing of
    the row. Not reported: restrictive policies, branches that ask for the role as well, settings that PostgREST fills
    in (`request.…`), and the comparison of a column with the tenant's setting.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Keep it if no user of that role can send SQL, and connections are reset before each use."
    references = (
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        "https://www.postgresql.org/docs/current/runtime-config-custom.html",
        "https://www.postgresql.org/docs/current/sql-set.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        CREATE INDEX ON invoice (tenant_id);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (
            current_setting('app.bypass', true) = 'on' OR tenant_id = (SELECT current_setting('app.tenant')::bigint)
        );
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        CREATE INDEX ON invoice (tenant_id);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
        CREATE POLICY jobs ON invoice TO pg_monitor USING (true);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Permissive policies with such a branch; the same setting on many tables is one cause."""
        for table in schema.checked_tables():
            for policy in table.policies:
                names = _settings(policy) if policy.permissive else ()
                if names:
                    setting = " and ".join(names)
                    yield self.finding(
                        at=policy,
                        message=f"the policy {policy.name} of {table.name} lets every row through, depending on "
                        f"{setting}, which each role may SET",
                        remedy=Advice(
                            "Let a role decide, not a setting: a policy of its own for the job's role "
                            "(CREATE POLICY … TO job USING (true)), or a role with BYPASSRLS."
                        ),
                        # One way out, whatever else each policy compares.
                        cause=setting,
                    )


def _settings(policy: Policy) -> tuple[str, ...]:
    names = [name for text in (policy.using, policy.check) if text for name in ways_out(text)]
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=4096)
def ways_out(expression: str) -> tuple[str, ...]:
    """The settings that alone decide a branch of the outermost OR of a policy's expression."""
    node = parse(expression)
    return () if node is None else tuple(name for branch in _branches(node) for name in _decisive(branch))


def _branches(node: Any) -> Iterator[Any]:
    if kind_of(node) == "bool_expr" and node.bool_expr.boolop == OR_EXPR:
        for part in node.bool_expr.args:
            yield from _branches(part)
    else:
        yield node


def _decisive(branch: Any) -> Iterator[str]:
    """The settings of a branch that asks for nothing else."""
    calls = list(postgast.find_nodes(branch, FuncCall))
    foreign = any(call.funcname[-1].string.sval not in HARMLESS for call in calls)
    asks_who = any(True for _ in postgast.find_nodes(branch, SQLValueFunction))
    links = postgast.find_nodes(branch, SubLink)
    looks_up = any(link.subselect.select_stmt.from_clause for link in links)
    if foreign or asks_who or looks_up or of_row(branch):
        return
    for call in calls:
        name = _named(call)
        # Names without a dot are PostgreSQL's own.
        if "." in name and not name.startswith(OF_THE_SERVICE):
            yield name


def _named(call: Any) -> str:
    """The setting that a call of current_setting asks for."""
    if call.funcname[-1].string.sval != "current_setting" or not call.args:
        return ""
    node = call.args[0]
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return str(node.a_const.sval.sval) if node.WhichOneof("node") == "a_const" else ""
