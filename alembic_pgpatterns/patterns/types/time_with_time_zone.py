from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema


class TimeWithTimeZone(SchemaPattern):
    """A column of type `time with time zone`, which stores an offset without a date.

    The offset of a place changes twice a year in many countries, and the value does not say in which half of the year
    it is. The type exists because the SQL standard has it; PostgreSQL's own documentation advises against it.

    Instead: `timestamptz` for a moment; `time` and a column with the zone's name for a time of day at a place.

    Arrays and domains are checked too. Not reported: `time without time zone`.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    not_when = "Keep it if another program demands the type of the SQL standard."
    references = (
        "https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-TIMEZONES",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_timetz",
    )
    bad = """
        CREATE TABLE shift (id bigint PRIMARY KEY, starts time with time zone NOT NULL);
    """
    good = """
        CREATE TABLE shift (id bigint PRIMARY KEY, starts time NOT NULL, zone text NOT NULL);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of timetz, through arrays and domains."""
        for _, column in checked_columns(schema):
            if column.type.name == "timetz" and column.type.schema == "pg_catalog":
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is a time of day with an offset but without a date",
                    remedy=Advice(
                        "Use timestamptz for a moment, or time beside a column with the zone's name for a time of day; "
                        "a cast to time drops the offset, so decide what the stored offsets mean first."
                    ),
                )
