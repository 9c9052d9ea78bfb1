from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RevisionPattern, Severity
from alembic_pgpatterns.patterns.revisions._statements import CREATE_INDEX, named
from alembic_pgpatterns.revisions.model import RevisionRun

# feature_not_supported.
NOT_SUPPORTED = "0A000"


class ConcurrentOnPartitionedParent(RevisionPattern):
    """An index that is built or dropped CONCURRENTLY on a partitioned table, which PostgreSQL refuses.

    Create the index ON ONLY the parent, which is instant and leaves it invalid; build one CONCURRENTLY on each
    partition; attach each to the parent's index. With the last one the parent's index becomes valid.
    """

    severity = Severity.ERROR
    references = ("https://www.postgresql.org/docs/current/ddl-partitioning.html", CREATE_INDEX)
    existing = """
        CREATE TABLE event (id bigint, at timestamptz) PARTITION BY RANGE (at);
        CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    """
    bad = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("CREATE INDEX CONCURRENTLY ix_event_at ON event (at)")
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("SET lock_timeout = '5s'")
                op.execute("CREATE INDEX IF NOT EXISTS ix_event_at ON ONLY event (at)")
                op.execute("SET lock_timeout = 0")
                op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_event_2026_at ON event_2026 (at)")
                op.execute("SET lock_timeout = '5s'")
                op.execute("ALTER INDEX ix_event_at ATTACH PARTITION ix_event_2026_at")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Concurrent statements that failed with feature_not_supported."""
        for statement in run.statements:
            command = statement.command
            if statement.error == NOT_SUPPORTED and command is not None and command.concurrently:
                table = named(statement)
                name = table or command.relations[0].name
                yield self.at(
                    run,
                    statement,
                    f"PostgreSQL refuses CONCURRENTLY on {name}, which is partitioned, and so the revision fails",
                    table,
                    "CREATE INDEX … ON ONLY the parent; CREATE INDEX CONCURRENTLY on each partition; ALTER INDEX … "
                    "ATTACH PARTITION for each.",
                )
