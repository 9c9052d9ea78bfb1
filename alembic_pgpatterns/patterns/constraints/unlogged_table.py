from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Statements
from alembic_pgpatterns.schema.model import Schema


class UnloggedTable(SchemaPattern):
    """A table that is UNLOGGED, so its rows are lost in a crash.

    Changes to it are not written to the write-ahead log. After a crash of the server it is empty, it cannot be read on
    a replica, and a point-in-time recovery restores it without rows.

    Not reported: temporary tables, partitions.
    """

    severity = Severity.INFO
    action = Action.REPORT
    not_when = "Leave it for caches, staging tables and queues whose rows can be made again."
    references = ("https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-UNLOGGED",)
    bad = """
        CREATE UNLOGGED TABLE account (id bigint PRIMARY KEY, email text);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables without write-ahead log."""
        for table in schema.checked_tables():
            if table.persistence == "unlogged":
                yield self.finding(
                    at=table,
                    message=f"{table.name} is unlogged: empty after a crash of the server",
                    remedy=Statements(
                        up=(f"ALTER TABLE {table.name} SET LOGGED",), down=(f"ALTER TABLE {table.name} SET UNLOGGED",)
                    ),
                )
