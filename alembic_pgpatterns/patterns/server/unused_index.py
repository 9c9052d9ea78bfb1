from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Index, Schema, Table

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Options:
    """Options of unused-index."""

    days: int = 30
    """Days that the statistics must have counted: a report that runs once a month needs its index too."""
    size: int = 1024
    """Kilobytes below which an index costs nothing worth a finding."""


class UnusedIndex(ServerPattern):
    """An index that no query has used since the server began to count.

    Every INSERT and most UPDATEs write it, vacuum reads it, and it takes memory from indexes that are used.

    Not reported: unique indexes and those of constraints (they enforce a rule), those that a foreign key needs (its
    checks are rare, and slow without the index), replica identities, partitioned parents, and invalid ones. The
    statistics must be old enough; a reset or a crash starts them again. Scans on a replica are counted only on that
    replica: the finding names the replicas to look at. An index that was created later has had less time than the
    message says.
    """

    severity = Severity.INFO
    Options = Options
    needs = ("schema", "statistics")
    not_when = "Keep it if a replica uses it, for rare but urgent queries, or for its expression's statistics."
    references = ("https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-INDEXES-VIEW",)

    def cannot_tell(self, server: LiveServer) -> str | None:
        """Skipped where the statistics are too young."""
        age = (server.now - server.since).total_seconds() / _DAY
        if age < self.options.days:
            return f"the statistics count since {age:.1f} days, and must be {self.options.days} days old"
        return super().cannot_tell(server)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Indexes of tables in the schema's order."""
        schema = server.schema
        for table in schema.tables if schema is not None else ():
            for index in table.indexes:
                if schema is not None and self._is_unused(index, table, schema):
                    yield self.finding(
                        at=index,
                        message=f"nobody has used {index.name.name} of {table.name.name} since "
                        f"{server.since:%Y-%m-%d} ({(index.size or 0) // 1024} kB)",
                        remedy=Advice(_advice(index, server)),
                    )

    def _is_unused(self, index: Index, table: Table, schema: Schema) -> bool:
        enforces = index.unique or index.constraint is not None or index.replica_identity
        # The index of a partition cannot be dropped alone where it belongs to an index of the whole table.
        if enforces or index.parent is not None or not index.valid or index.building or table.kind != "table":
            return False
        large = (index.size or 0) >= self.options.size * 1024
        return index.scans == 0 and large and not _serves_a_key(index, table)


def _serves_a_key(index: Index, table: Table) -> bool:
    return any(set(key.columns) == set(index.columns[: len(key.columns)]) for key in table.foreign_keys)


def _advice(index: Index, server: LiveServer) -> str:
    drop = f"Where it is older than that and nobody misses it: DROP INDEX CONCURRENTLY {index.name}."
    if server.recovery:
        return f"{drop} This server is a standby: the primary counts its own scans."
    if server.replicas:
        return f"{drop} First look on {', '.join(sorted(set(server.replicas)))}: each replica counts its own scans."
    unseen = "" if server.replicas is not None else " Whether there are replicas could not be seen."
    return drop + unseen
