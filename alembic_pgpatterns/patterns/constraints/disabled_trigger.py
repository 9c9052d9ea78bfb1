from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Statements
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import quote


class DisabledTrigger(SchemaPattern):
    """A trigger that was switched off and not on again.

    `ALTER TABLE … DISABLE TRIGGER ALL` before a load also switches off the triggers behind foreign keys. If nobody
    switches them on, the constraint is there and says that it is valid, and rows that break it go in. An audit trigger
    that is off writes nothing, without an error.

    Not reported: triggers that only fire on a replica (ENABLE REPLICA), and those of partitions whose parent's are off.
    """

    severity = Severity.ERROR
    action = Action.REPORT
    needs = Needs.DATABASE
    references = (
        "https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER",
        "https://github.com/dimitri/pgcopydb/issues/820",
    )
    bad = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
        CREATE INDEX ON book (author_id);
        ALTER TABLE book DISABLE TRIGGER ALL;
    """
    good = bad + "ALTER TABLE book ENABLE TRIGGER ALL;"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables with triggers that are off: those of foreign keys together, others one by one."""
        for table in schema.checked_tables():
            alter = f"ALTER TABLE {table.name}"
            keys = sorted({key for key, _ in table.disabled_triggers if key})
            for name in keys:
                yield self.finding(
                    at=table,
                    message=f"triggers of {table.name} are off, so that nothing checks {name}",
                    remedy=Statements(up=(f"{alter} ENABLE TRIGGER ALL",), down=(f"{alter} DISABLE TRIGGER ALL",)),
                    detail=name,
                )
            for trigger in sorted(trigger for key, trigger in table.disabled_triggers if not key):
                name = quote(trigger)
                yield self.finding(
                    at=table,
                    message=f"the trigger {name} of {table.name} is off",
                    remedy=Statements(
                        up=(f"{alter} ENABLE TRIGGER {name}",), down=(f"{alter} DISABLE TRIGGER {name}",)
                    ),
                    detail=name,
                )
