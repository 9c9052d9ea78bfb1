from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Statements
from alembic_pgpatterns.schema.model import UNKNOWN, Schema, Table

OPTION = "autovacuum_enabled"
OFF = frozenset({"false", "off", "no", "0", "f", "n"})


class AutovacuumOff(SchemaPattern):
    """A table for which autovacuum is switched off.

    Dead rows stay, so the table and its indexes grow with each UPDATE, statistics grow old, and plans get worse. The
    age of its transactions grows as well: near two billion PostgreSQL starts a vacuum that cannot be stopped, and at
    the end refuses all writes. That has stopped whole services.

    Not reported: other storage parameters, such as thresholds and delays; the same for the table's TOAST part alone.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    not_when = "Leave it off for a table that is truncated or dropped at the end of each load."
    references = (
        "https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND",
        "https://www.postgresql.org/docs/current/sql-createtable.html#RELOPTION-AUTOVACUUM-ENABLED",
        "https://blog.sentry.io/transaction-id-wraparound-in-postgres/",
    )
    bad = """
        CREATE TABLE event (id bigint PRIMARY KEY) WITH (autovacuum_enabled = false);
    """
    good = """
        CREATE TABLE event (id bigint PRIMARY KEY) WITH (autovacuum_vacuum_scale_factor = 0.01);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables with autovacuum_enabled = off; partitions too, which each have their own setting."""
        for table in schema.tables:
            written = switched_off(table)
            if written is not None:
                alter = f"ALTER TABLE {table.name}"
                yield self.finding(
                    at=table,
                    message=f"autovacuum is off for {table.name}",
                    remedy=Statements(up=(f"{alter} RESET ({OPTION})",), down=(f"{alter} SET ({written})",)),
                )


def switched_off(table: Table) -> str | None:
    """The option that switches autovacuum off for a table, as it was written; None if none does."""
    # A partitioned table has no rows of its own.
    if table.options is UNKNOWN or table.kind not in ("table", "materialized view"):
        return None
    for option in table.options:
        name, _, value = option.partition("=")
        if name.strip() == OPTION and value.strip().lower() in OFF:
            return option
    return None
