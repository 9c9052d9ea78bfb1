from __future__ import annotations

import re
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._shape import definition, indexed_tables
from alembic_pgpatterns.remedies.model import Advice, DropIndex, RebuildIndex, Remedy
from alembic_pgpatterns.schema.model import Index, Schema, Table

TRANSIENT = re.compile(r"_cc(new|old)\d*$")
"""Names REINDEX CONCURRENTLY gives to what it builds and what it retires (docs, "REINDEX")."""


class InvalidIndex(SchemaPattern):
    """An index that no query can use, although every write still updates it.

    It is left behind by a CREATE INDEX CONCURRENTLY that failed (a timeout, a deadlock, duplicate values under UNIQUE).
    A unique one still refuses some rows without guaranteeing anything. `CREATE INDEX IF NOT EXISTS` finds the name
    taken and does nothing.

    An index on a partitioned table is invalid until every partition has an index attached to it.

    Not reported: an index that is being built, and a partition's index that is attached to an invalid one of the
    parent, which is reported instead.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Wait if a partitioned table is being indexed partition by partition right now."
    references = (
        "https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY",
        "https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY",
    )
    bad = """
        CREATE TABLE visit (id bigint PRIMARY KEY, page text);
        CREATE INDEX visit_page ON visit (page);
        -- What a CREATE INDEX CONCURRENTLY leaves behind that is cancelled:
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'visit_page'::regclass;
    """
    good = """
        CREATE TABLE visit (id bigint PRIMARY KEY, page text);
        CREATE INDEX visit_page ON visit (page);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Invalid indexes of tables, partitions and materialised views."""
        for table in indexed_tables(schema):
            for index in table.indexes:
                if not index.valid and not index.building and index.parent is None:
                    yield self.finding(
                        at=index,
                        message=f"{index.name} is invalid: no query uses it, and every write pays for it",
                        remedy=_remedy(table, index),
                    )


def _remedy(table: Table, index: Index) -> Remedy:
    again = definition(index, table)
    if table.kind == "partitioned":
        return Advice(
            f"Create the index on each partition that lacks it (CONCURRENTLY), and attach each: "
            f"ALTER INDEX {index.name} ATTACH PARTITION …"
        )
    if again is None or index.constraint is not None:
        return Advice(f"REINDEX INDEX CONCURRENTLY {index.name}.")
    # What it was to replace, or what has replaced it, is there.
    if TRANSIENT.search(index.name.name):
        return DropIndex(index.name, table.name, again)
    return RebuildIndex(index.name, table.name, again)
