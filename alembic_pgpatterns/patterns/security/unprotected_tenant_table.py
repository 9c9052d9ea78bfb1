from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._comparisons import compared
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema, Table


@dataclass(frozen=True, slots=True)
class TenantOptions:
    """How the tenant's column is recognised."""

    columns: tuple[str, ...] = ()
    """Names of the columns with a row's tenant. Empty: the column that most policies compare."""


class UnprotectedTenantTable(SchemaPattern):
    """A table with the tenant's column but without row-level security, although other tables have it.

    Row security is enabled table by table. A forgotten table shows the rows of all tenants, and no query fails.

    The tenant's column is the one in the option `columns`; if that is not set, it is the column that the policies of
    most tables compare with a value of the session (`tenant_id = (SELECT current_setting('app.tenant')::bigint)`, also
    `IN (SELECT …)`). A column that is alone in a primary key or unique constraint is not meant: it identifies the
    tenant itself, as `id` of the table of tenants. If two columns are used equally often, nothing is reported: set
    `columns`.

    Not reported: tables that have policies and only need row security enabled (see policy-without-row-security),
    partitions, views, schemas in which no table has row security by that column.
    """

    Options = TenantOptions
    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    references = ("https://www.postgresql.org/docs/current/ddl-rowsecurity.html",)
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
        CREATE TABLE payment (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
        CREATE TABLE payment (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON payment USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables and partitioned tables that have the column."""
        columns = self.options.columns or _tested_by_most(schema)
        tables = list(schema.checked_tables())
        for name in columns:
            protected = [table for table in tables if table.row_security is True and table.column(name)]
            for table in tables if protected else ():
                if table.column(name) and table.row_security is False and not table.policies:
                    yield self._unprotected(table, name, protected)

    def _unprotected(self, table: Table, column: str, protected: list[Table]) -> Finding:
        example = protected[0].name
        others = f"as {example} has" if len(protected) == 1 else f"as {example} and {len(protected) - 1} more have"
        return self.finding(
            at=table,
            message=f"{table.name} has {column}, and no row security, {others}",
            remedy=Advice(f"Write the policy of {example} for {table.name}, too. Then enable row security."),
            detail=column if len(self.options.columns) > 1 else "",
        )


def _tested_by_most(schema: Schema) -> tuple[str, ...]:
    """The one column that more tables' policies test than any other."""
    tested = Counter(name for table in schema.checked_tables() if table.row_security is True for name in _tested(table))
    ranking = tested.most_common(2)
    alone = len(ranking) == 1 or (len(ranking) == 2 and ranking[0][1] > ranking[1][1])
    return (ranking[0][0],) if alone else ()


def _tested(table: Table) -> set[str]:
    texts = (text for policy in table.policies for text in (policy.using, policy.check) if text)
    names = {comparison.column for text in texts for comparison in compared(text)}
    keys = (table.primary_key, *table.unique_constraints)
    # A column that is unique alone says whose row it is, but not which tenant's.
    return names - {key.columns[0] for key in keys if key is not None and len(key.columns) == 1}
