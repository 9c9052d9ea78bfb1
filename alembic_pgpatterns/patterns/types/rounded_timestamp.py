from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Linked, Obstacles, checked_columns, together
from alembic_pgpatterns.patterns.types._text import spelled
from alembic_pgpatterns.remedies.model import TypeChange
from alembic_pgpatterns.schema.model import Column, Schema

STORED_DIGITS = 6
"""Digits after the second that PostgreSQL stores; a precision of 6 rounds nothing."""

SPELLED = {"timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone"}


class RoundedTimestamp(SchemaPattern):
    """A timestamp column that rounds to whole seconds or few digits, such as `timestamptz(0)`.

    It rounds, it does not cut: a row written at 12:00:00.6 says 12:00:01, a moment in the future. So "created before
    now" misses rows that were just written, and the order of events within a second is lost. It saves no space: every
    timestamp takes eight bytes.

    Round when you display it, with `date_trunc('second', x)`.

    Arrays and domains are checked too. Not reported: a precision of 6, which is all that PostgreSQL stores; `time` and
    `interval`.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    not_when = "Keep it if the values come from a source with that precision and are compared with it for equality."
    references = (
        "https://www.postgresql.org/docs/current/datatype-datetime.html",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_timestamp.280.29_or_timestamptz.280.29",
    )
    bad = """
        CREATE TABLE visit (id bigint PRIMARY KEY, came_at timestamptz(0) NOT NULL DEFAULT now());
    """
    good = """
        CREATE TABLE visit (id bigint PRIMARY KEY, came_at timestamptz NOT NULL DEFAULT now());
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of timestamp and timestamptz with a precision below 6."""
        linked, obstacles = schema.fact(Linked), schema.fact(Obstacles)
        for _, column in checked_columns(schema):
            precision = column.type.precision
            if column.type.name in SPELLED and precision is not None and precision < STORED_DIGITS:
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is rounded to {precision} digits after the second",
                    # More digits rewrite no row (release notes of PostgreSQL 9.2).
                    remedy=together(linked.group(column), obstacles, _unrounded, lambda _: False),
                )


def _unrounded(column: Column) -> TypeChange | str | None:
    if column.type.name not in SPELLED:
        return f"its type is {column.type.display or 'not known'}"
    if column.type.precision is None or column.type.precision >= STORED_DIGITS:
        return None
    new = spelled(SPELLED[column.type.name], column)
    return TypeChange(column.table, column.name, column.type.display, new)
