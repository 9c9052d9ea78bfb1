from __future__ import annotations

import re
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Column, Schema
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import constant

TIMES = frozenset({"timestamp", "timestamptz", "date"})
_TO_THE_SECOND = re.compile(
    r"20(?:[0-2]\d|3[0-7])-\d\d-\d\d[ T]\d\d:\d\d:(?:(?!00|59)\d\d|\d\d\.(?!9+(?:\D|$))\d*[1-9])"
)
"""The last second of a day is as round as the first; 2038-01-19 03:14:07 is the end of 32 bits.

With a fraction nobody wrote it by hand: one migration in thirty runs in the first or the last second of a minute.
"""
_CALLED_ONCE = re.compile(r"datetime\.(?:datetime|date)\(")


class FrozenTimeDefault(SchemaPattern):
    """A default that is one fixed moment: when the migration ran, or when the program started.

    `server_default=str(datetime.now())`, `DEFAULT 'now'::timestamptz` and `default=datetime.utcnow()` (with the
    parentheses) are evaluated once. From then on every row has that same time, and nothing looks wrong until a query
    sorts by it.

    Recognised are constants to the second, whose seconds are neither 00 nor 59, and in models a datetime object to the
    second as `default`.

    Not reported: round constants (`1970-01-01`, `infinity`), as they are chosen; functions such as `now()`.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    not_when = "Keep it if all rows are to have that very moment."
    references = (
        "https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT",
        "https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES",
        "https://github.com/mlrun/mlrun/pull/7194",
    )
    bad = """
        CREATE TABLE visit (id bigint PRIMARY KEY, came_at timestamptz NOT NULL DEFAULT '2026-03-14 09:26:53.5+00');
    """
    good = """
        CREATE TABLE visit (id bigint PRIMARY KEY, came_at timestamptz NOT NULL DEFAULT now());
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Times whose default does not move."""
        for _, column in checked_columns(schema):
            if column.type.name in TIMES and not column.type.array and column.generated is None:
                moment = _moment(column)
                if moment is not None:
                    yield self.finding(
                        at=column,
                        message=f"the default of {column.identifier} is one moment, {moment}, the same for all rows",
                        remedy=Advice(_FUNCTION if column.default is None else _instead(column)),
                    )


_FUNCTION = (
    "Give default a function in place of its result, such as lambda: datetime.now(UTC) + timedelta(days=14): "
    "it runs for each row."
)


def _instead(column: Column) -> str:
    name = quote(column.name)
    return (
        "Use server_default=func.now(), or default=datetime.now without parentheses "
        f"(ALTER TABLE {column.table} ALTER COLUMN {name} SET DEFAULT now())."
    )


def _moment(column: Column) -> str | None:
    if isinstance(column.default, str):
        value = constant(column.default)
        return value if value is not None and _TO_THE_SECOND.match(value) else None
    # The repr of a value: SQLAlchemy was given an object, not a function.
    default = column.python_default
    once = isinstance(default, str) and _CALLED_ONCE.match(default) and default.count(",") >= 5
    # Not the moment itself, which is another one in each run.
    return "that of the program's start" if once else None
