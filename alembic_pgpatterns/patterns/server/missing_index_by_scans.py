from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.patterns.server.slow_statement import first_table
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Schema, Table


@dataclass(frozen=True, slots=True)
class Options:
    """Options of missing-index-by-scans."""

    rows: int = 10_000
    """Tables with fewer rows are not reported: reading them whole is cheap."""
    scans: int = 1000
    """Report only from this number of whole reads on."""


class MissingIndexByScans(ServerPattern):
    """A large table that queries mostly read from beginning to end.

    The server counts how often a table is read whole and how often through an index. If a large table is mostly read
    whole, the index its queries need is missing.

    This is a hint, not a proof, and it does not say which index. If statements are recorded, the finding names the one
    on this table that takes the most time. A read that stops early (LIMIT) counts as a whole one, so tables whose scans
    read less than half of the rows on average are not reported, nor are rare full reads such as nightly exports (option
    `scans`).
    """

    severity = Severity.INFO
    Options = Options
    needs = ("schema", "statistics")
    not_when = "Leave it out for tables that are exported, aggregated or joined as a whole."
    references = ("https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW",)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Tables and partitions in the schema's order."""
        for table in server.schema.tables if server.schema is not None else ():
            facts = table.statistics
            if facts is not None and self._is_read_whole(table):
                yield self.finding(
                    at=table,
                    message=f"{table.name.name} ({facts.rows:.0f} rows) was read whole {facts.sequential_scans} times, "
                    f"and by an index {facts.index_scans} times",
                    remedy=Advice(_advice(table, server)),
                )

    def _is_read_whole(self, table: Table) -> bool:
        facts = table.statistics
        if facts is None or facts.rows < self.options.rows or facts.sequential_scans < self.options.scans:
            return False
        whole = facts.sequential_rows / facts.sequential_scans > facts.rows / 2
        return whole and facts.sequential_scans > facts.index_scans


def _advice(table: Table, server: LiveServer) -> str:
    slowest = _slowest(table, server, server.schema) if server.schema is not None else None
    if slowest is None:
        return "Find the statements that read it (pg_stat_statements), and EXPLAIN them."
    return f"EXPLAIN its statement that takes the most time: {slowest}"


def _slowest(table: Table, server: LiveServer, schema: Schema) -> str | None:
    for statement in server.statements or ():
        if first_table(statement.query, schema) == table.name:
            return " ".join(statement.query.split())[:200]
    return None
