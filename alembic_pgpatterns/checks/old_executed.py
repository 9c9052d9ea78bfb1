"""The recorded statements of the release before, executed with its rows and with the values that were recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import pq, sql

from alembic_pgpatterns.checks.old_tries import DEPENDS_ON_VALUES, RULES, TableRows, empty, in_place, without_triggers
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.workload.model import Recorded
from alembic_pgpatterns.workload.parameters import uses

TIMES = 3
"""With how many made-up rows a statement is executed."""
FOREIGN_KEY = "23503"
Values = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class RefusedValues:
    """A recorded statement that the server refuses for some values. ``reason`` to ``imagined``: as for Refusal."""

    statement: Recorded
    reason: str
    answer: str
    by_values: bool
    imagined: bool = False


def refused_values(
    connection: Any, made: Mapping[Name, TableRows], schema: Schema, statements: Sequence[Recorded]
) -> dict[tuple[str, str], RefusedValues]:
    """What the server refuses when statements are executed; by fingerprint and reason. Nothing is changed.

    Args:
        connection: psycopg's, in autocommit mode.
        made: rows of the old code, for all tables in the statements.
        schema: of the database.
        statements: those that can be prepared.
    """
    result: dict[tuple[str, str], RefusedValues] = {}
    with in_place(connection, made, schema) as is_possible:
        for statement in statements if is_possible else ():
            for values, is_recorded in _values(connection, made, statement):
                with connection.transaction(force_rollback=True):
                    refused = _execute(connection, made, statement, values)
                if refused is not None:
                    first = result.setdefault((statement.fingerprint, refused.reason), refused)
                    if is_recorded and first.imagined:
                        result[statement.fingerprint, refused.reason] = replace(refused, imagined=False)
    return result


def _execute(
    connection: Any, made: Mapping[Name, TableRows], statement: Recorded, values: Values
) -> RefusedValues | None:
    if statement.kind == "insert":
        # Its row is there already.
        without_triggers(connection, True)
        for name in made:
            if name.name in statement.tables or str(name) in statement.tables:
                empty(connection, name)
        without_triggers(connection, False)
    # By the protocol, so that the text stays as it is.
    parameters = [None if value is None else value.encode() for value in values]
    result = connection.pgconn.exec_params(statement.text.encode(), parameters)
    if result.status != pq.ExecStatus.FATAL_ERROR:
        return None
    state = _field(result, pq.DiagnosticField.SQLSTATE)
    if state == FOREIGN_KEY:
        return None
    named = _field(result, pq.DiagnosticField.CONSTRAINT_NAME) or _field(result, pq.DiagnosticField.COLUMN_NAME)
    answer = _field(result, pq.DiagnosticField.MESSAGE_PRIMARY)
    return RefusedValues(statement, named or state, answer, state[:2] in DEPENDS_ON_VALUES, state in _RULES)


def _field(result: Any, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode(errors="replace")


_RULES = frozenset(rule.sqlstate for rule in RULES)


def _values(connection: Any, made: Mapping[Name, TableRows], statement: Recorded) -> Iterator[tuple[Values, bool]]:
    """Sets of values, and whether they were recorded: else they are those of made-up rows."""
    types = _types(connection, statement.text)
    plain = (item for item in statement.values if not any(isinstance(value, (dict, list)) for value in item))
    yield from ((tuple(map(_text, item)), True) for item in plain if len(item) == len(types))
    for number in range(TIMES if types else 1):
        # Without parameters the text has all values.
        yield tuple(_made(made, statement.text, n, number, kind) for n, kind in enumerate(types, 1)), not types


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _types(connection: Any, text: str) -> list[str]:
    """The types of the parameters."""
    connection.pgconn.prepare(b"", text.encode())
    described = connection.pgconn.describe_prepared(b"")
    oids = [described.param_type(n) for n in range(described.nparams)]
    query = sql.SQL("SELECT pg_catalog.format_type({}, NULL)")
    return [connection.execute(query.format(sql.Literal(oid))).fetchone()[0] for oid in oids]


def _made(made: Mapping[Name, TableRows], text: str, parameter: int, number: int, kind: str) -> str | None:
    use = uses(text).get(parameter)
    if use is not None:
        for name, table in made.items():
            places = [n for n, column in enumerate(table.columns) if column.name == use.column]
            if table.rows and places and use.table in ("", name.name):
                value = table.rows[number % len(table.rows)][places[0]]
                # The quotes of an array's element are those of JSON (docs, "Array Input and Output Syntax").
                return f"{{{json.dumps(value)}}}" if use.array else value
    return _ANY.get(kind)


_ANY = {
    "smallint": "1",
    "integer": "1",
    "bigint": "1",
    "numeric": "1",
    "double precision": "1",
    "real": "1",
    "text": "a",
    "character varying": "a",
    "boolean": "true",
    "date": "2020-01-01",
    "timestamp without time zone": "2020-01-01",
    "timestamp with time zone": "2020-01-01",
    "interval": "1 day",
    "json": "{}",
    "jsonb": "{}",
}
"""A value for a parameter that no column has; NULL for other types."""
