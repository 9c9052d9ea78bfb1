"""The line of a revision that takes something from the old code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.model import Location, Name
from alembic_pgpatterns.schema.sql.parser import postgast

_OF_ROWS = frozenset(("", "select", "insert", "update", "delete", "set", "lock", "copy"))


def place(revision: Revision, runs: Sequence[RevisionRun], table: Name, names: Sequence[str]) -> Location:
    """The last statement on the table that has the names, else one that has them, else one on the table.

    Args:
        revision: the revision.
        runs: what all revisions did.
        table: its name before the revision.
        names: of the column, constraint or label.
    """
    statements = [s for run in runs if run.revision == revision.revision for s in run.statements if _changes(s)]
    last = max(
        statements,
        key=lambda s: (table in s.tables and _has(s, names), _has(s, names), table in s.tables, statements.index(s)),
        default=None,
    )
    if last is None or not (table in last.tables or _has(last, names)):
        return Location(relative(revision.path), revision.upgrade_line)
    return Location(relative(last.location.path), last.location.line)


def _changes(statement: Statement) -> bool:
    command = statement.command
    return statement.error is None and (command is None or command.kind not in _OF_ROWS)


def _has(statement: Statement, names: Sequence[str]) -> bool:
    return bool(names) and any(name in _words(statement.sql) for name in names)


@lru_cache(maxsize=512)
def _words(text: str) -> frozenset[str]:
    """All names and texts in a statement."""
    try:
        return frozenset(_strings(postgast.parse(text)))
    except postgast.PgQueryError:
        return frozenset()


def _strings(message: Any) -> Iterator[str]:
    for descriptor, value in message.ListFields():
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
        for item in items:
            if descriptor.message_type is not None:
                yield from _strings(item)
            elif isinstance(item, str):
                yield item
