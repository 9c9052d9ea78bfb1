from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import UNKNOWN, Schema, Table


class UnidentifiedReplica(SchemaPattern):
    """A table in a publication (logical replication) without a key, so that UPDATE and DELETE are refused.

    Logical replication sends the old key with each UPDATE and DELETE. A table without a primary key, or with REPLICA
    IDENTITY NOTHING, has none to send, and as soon as a publication includes it PostgreSQL refuses the statement in the
    application: "cannot update table … because it does not have a replica identity and publishes updates".

    Not reported: tables in no publication, publications of inserts alone, tables with REPLICA IDENTITY FULL or USING
    INDEX.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    needs = Needs.DATABASE
    references = (
        "https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY",
        "https://github.com/open-metadata/OpenMetadata/issues/12880",
    )
    bad = """
        CREATE TABLE event (what text);
        CREATE PUBLICATION changes FOR TABLE event;
    """
    good = """
        CREATE TABLE event (id bigint PRIMARY KEY, what text);
        CREATE PUBLICATION changes FOR TABLE event;
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Published tables without a replica identity."""
        for table in schema.tables:
            if table.published and _has_none(table):
                yield self.finding(
                    at=table,
                    message=f"UPDATE and DELETE on {table.name} fail: a publication sends them, and it has no replica "
                    "identity",
                    remedy=Advice(
                        "Give it a primary key; or take a unique index over NOT NULL columns: "
                        f"ALTER TABLE {table.name} REPLICA IDENTITY USING INDEX …. REPLICA IDENTITY FULL works "
                        "too, but each change then sends the whole old row."
                    ),
                )


def _has_none(table: Table) -> bool:
    identity = table.replica_identity
    # n is NOTHING, d the primary key (pg_class.relreplident).
    return identity is not UNKNOWN and (identity == "n" or (identity == "d" and table.primary_key is None))
