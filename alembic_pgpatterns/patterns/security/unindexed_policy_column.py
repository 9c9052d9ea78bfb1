from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._coverage import EQUALITY_METHODS, same_collation
from alembic_pgpatterns.patterns.security._comparisons import Compared, missing
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, IndexedKey, Remedy
from alembic_pgpatterns.schema.model import Column, Index, Name, Policy, Schema, Table

TEXTS = frozenset({"text", "varchar"})
"""A cast from the one to the other changes nothing, so that an index on the column serves."""

# The collation of the type name, and so of a comparison with current_user (since PostgreSQL 12).
C = Name("pg_catalog", "C")


class UnindexedPolicyColumn(SchemaPattern):
    """A column that a row-level security policy compares with a value of the session, and that no index starts with.

    A policy's condition is part of every query on the table. With `tenant_id = (SELECT
    current_setting('app.tenant')::bigint)` and no index that starts with `tenant_id`, a query without a better
    condition reads the rows of all tenants to return those of one.

    Checked is what an index can serve: in USING, equality (also `= ANY (array)`) between a column and a value that does
    not depend on the row. With AND, one indexed column is enough; with OR, each must be indexed, or PostgreSQL reads
    the whole table anyway.

    Not reported: comparisons with constants (`status = 'public'`), booleans, `IN (SELECT …)` (PostgreSQL looks the rows
    up in the sub-select's result, not in an index), conditions by functions, `WITH CHECK`. Any valid index that starts
    with the column is enough, also a partial one, but not BRIN. A partitioned table may have the indexes on each of its
    partitions.

    A text column that is compared with `CURRENT_USER` needs an index with the collation "C": the keyword's type is
    `name`, whose collation the comparison uses, and an index with another collation does not serve it.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    needs = Needs.DATABASE
    not_when = "Leave it out if one tenant owns most of the rows, or the table is small and stays small."
    references = (
        "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
        "https://www.postgresql.org/docs/current/rules-privileges.html",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, tenant_id bigint NOT NULL);
        ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON invoice USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
    """
    good = bad + "CREATE INDEX ON invoice (tenant_id);"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns that policies of tables and partitioned tables compare."""
        leading = _Leading(schema)
        for table in schema.checked_tables():
            for column, policy, comparison in _unindexed(table, leading):
                kind = ' of the collation "C"' if _in_c(column, comparison) else ""
                yield self.finding(
                    at=column,
                    message=f"the policy {policy.name} compares {column.identifier}, and no index{kind} starts with it",
                    remedy=_remedy(table, column, comparison),
                )


def _unindexed(table: Table, leading: _Leading) -> Iterator[tuple[Column, Policy, Compared]]:
    """Each column once, with the first policy that compares it."""
    seen: set[str] = set()
    for policy in table.policies:
        for comparison in missing(policy.using or "NULL", leading.of(table)):
            column = table.column(comparison.column)
            # Half of the rows are quicker read without an index.
            if column is not None and column.name not in seen and column.type.name != "bool":
                seen.add(column.name)
                yield column, policy, comparison


class _Leading:
    """Which comparisons the indexes of a schema's tables serve."""

    def __init__(self, schema: Schema) -> None:
        self._partitions: dict[Name, list[Table]] = defaultdict(list)
        for table in schema.tables:
            if table.partition_of is not None:
                self._partitions[table.partition_of].append(table)

    def of(self, table: Table) -> Callable[[Compared], bool]:
        """The question, for one table."""
        return lambda comparison: self._served(table, comparison)

    def _served(self, table: Table, comparison: Compared) -> bool:
        if any(_leads(index, table, comparison) for index in table.indexes):
            return True
        partitions = [part for part in self._partitions[table.name] if part.kind != "foreign"]
        return bool(partitions) and all(self._served(part, comparison) for part in partitions)


def _leads(index: Index, table: Table, comparison: Compared) -> bool:
    first, column = index.keys[0], table.column(comparison.column)
    return (
        first.column == comparison.column
        and index.valid
        and index.ready
        and index.method in EQUALITY_METHODS
        and (column is None or same_collation(first, _as_compared(column, comparison)))
    )


def _as_compared(column: Column, comparison: Compared) -> Column:
    """The column with the collation of the comparison."""
    return replace(column, type=replace(column.type, collation=C)) if _in_c(column, comparison) else column


def _in_c(column: Column, comparison: Compared) -> bool:
    return comparison.role and column.type.name in TEXTS


def _remedy(table: Table, column: Column, comparison: Compared) -> Remedy:
    if comparison.cast is not None and not (comparison.cast in TEXTS and column.type.name in TEXTS):
        return Advice(
            f"Cast the session's value to {column.type.display}, not {column.name} to {comparison.cast}, "
            f"in the policy: no index on a column serves a cast of it. Then create an index on {column.name}."
        )
    if _in_c(column, comparison):
        return CreateIndex(table.name, (IndexedKey(column.name, collation=C),))
    return CreateIndex.on(table.name, column.name)
