from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.patterns.constraints.autovacuum_off import switched_off
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Table

_LONG = 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """Options of dead-rows."""

    rows: int = 1000
    """Tables with at most this many dead rows are not reported."""
    share: int = 30
    """Per cent of a table's rows that may be dead; autovacuum starts at 20 by default."""


class DeadRows(ServerPattern):
    """A table in which a large part of the space is taken by deleted or outdated rows that vacuum has not removed.

    Every scan reads them, every index has entries for them, and the table keeps growing. Autovacuum starts when a fifth
    of a table is dead (`autovacuum_vacuum_scale_factor`). Well above that it is switched off, too slow, or blocked by
    an old transaction or a replication slot that nobody reads. The finding names those that can be seen.
    """

    severity = Severity.WARNING
    Options = Options
    needs = ("schema", "statistics")
    not_when = "Right after a bulk delete or update it is normal, until autovacuum has run."
    references = (
        "https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY",
        "https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Tables and partitions, each on its own, since each is vacuumed on its own."""
        for table in server.schema.tables if server.schema is not None else ():
            share = self._share(table)
            if share is not None and table.statistics is not None:
                yield self.finding(
                    at=table,
                    message=f"{table.statistics.dead_rows} rows of {table.name.name} are dead ({share:.0%})",
                    remedy=Advice(f"VACUUM (ANALYZE) {table.name};{_held(server)}{_switched_off(table)}"),
                )

    def _share(self, table: Table) -> float | None:
        """The dead part where it is too large, else None."""
        facts = table.statistics
        if facts is None or facts.dead_rows <= self.options.rows:
            return None
        # reltuples is -1 until the first VACUUM or ANALYZE.
        share = facts.dead_rows / (facts.dead_rows + max(facts.rows, 0.0))
        return share if share * 100 > self.options.share else None


def _held(server: LiveServer) -> str:
    slots = f" Slots that nobody reads hold rows back: {', '.join(server.slots)}." if server.slots else ""
    # VACUUM keeps each row that the oldest transaction may still see.
    oldest = server.sessions.oldest_transaction
    if oldest is not None and oldest > _LONG:
        slots += f" A transaction has been open for {oldest / 3600:.0f} h and holds rows back."
    return slots or " then a lower autovacuum_vacuum_scale_factor for it, where this comes back."


def _switched_off(table: Table) -> str:
    return " Its autovacuum_enabled is off." if switched_off(table) is not None else ""
