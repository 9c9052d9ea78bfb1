"""Whether the statements that the release before was recorded with still work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.checks.senders import location_of
from alembic_pgpatterns.schema.model import Location, Name
from alembic_pgpatterns.workload.model import Recorded, Workload
from alembic_pgpatterns.workload.text import relations

KINDS = ("select", "insert", "update", "delete")
SHOWN = 100
"""How many characters of a statement are shown."""


@dataclass(frozen=True, slots=True)
class RefusedStatement:
    """A recorded statement that the server refuses. ``answer``: what it says. ``names``: all names in the statement."""

    fingerprint: str
    text: str
    table: Name
    names: frozenset[str]
    answer: str
    location: Location | None


def refused_statements(connection: Any, workload: Workload, default_schema: str) -> Iterator[RefusedStatement]:
    """Prepare each statement, which looks its names and types up and runs nothing.

    Args:
        connection: psycopg's, in autocommit mode.
        workload: recorded with the release before.
        default_schema: of tables without a schema.
    """
    for statement in workload.statements:
        if statement.kind not in KINDS:
            continue
        # By the protocol and not by PREPARE, so that the text stays as it is. The next one takes its place.
        result = connection.pgconn.prepare(b"", statement.text.encode())
        if result.error_message:
            error = result.error_message.decode(errors="replace")
            answer = error.partition("\n")[0].partition(":")[2].strip() or error.strip()
            yield described(statement, answer, default_schema)


def described(statement: Recorded, answer: str, default_schema: str) -> RefusedStatement:
    """A statement with what the server answers, for people."""
    tables, names = relations(statement.text)
    schema, table = tables[0] if tables else ("", "")
    return RefusedStatement(
        statement.fingerprint,
        statement.on_one_line(SHOWN),
        Name(schema or default_schema, table),
        names,
        answer,
        location_of(statement),
    )
