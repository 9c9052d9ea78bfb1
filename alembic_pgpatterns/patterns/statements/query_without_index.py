from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._unserved import unserved_statements
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import SOURCE, Workload


class QueryWithoutIndex(StatementPattern):
    """A query in the application's source for which no index can be used, so that the whole table is read.

    The query compares columns of a table, and no index begins with one of them. PostgreSQL then reads the whole table
    for each query. That is fine on small tables, and slow on large ones.

    The finding names the query's line and the index: columns that are compared for equality first, then the order or
    the range. It is a warning where the table is known to be large: declared in the model (`info={"pgpatterns":
    {"rows": 10_000_000}}`) or given with --stats. `alembic pgadvise` chooses among the indexes for all queries at
    once.

    It is a guess where nothing speaks for many rows (no declared or known number, no name such as `events`, and no row
    for each row of another table), where the query asks for all rows of one kind or for a range alone, where it asks
    for the first rows in the order of an index, where it deletes what is old, and where its callers choose among
    filters, one of which an index serves.

    What does not count: foreign keys, which unindexed-foreign-key reports and whose index is enough unless an order or
    a range is asked for, queries of several tables, and tables with fewer than a thousand rows.
    """

    severity = Severity.INFO
    fold = Fold.TABLE
    not_when = "The table stays small, or the query runs once a day."
    references = ("https://www.postgresql.org/docs/current/indexes-multicolumn.html",)
    runs = False
    of_source = True
    bad = """
        select(Order).where(Order.tenant_id == tenant, Order.status == "open").order_by(Order.created_at).limit(20)
    """
    good = """
        Index("ix_orders_tenant_id_status_created_at", "tenant_id", "status", "created_at")
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Statements of one table whose columns lead no index; each index once."""
        if schema is not None and workload.source == SOURCE:
            yield from unserved_statements(self, workload, schema)
