"""Times that get a time zone, or lose it: read as UTC in every session.

PostgreSQL reads them in the session's TimeZone: the same revision would make other moments of them on another server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import moves_zone, type_text
from alembic_pgpatterns.patterns.types.timestamp_without_time_zone import TimestampWithoutTimeZone
from alembic_pgpatterns.remedies.type_operations import AlterTypeOp


def with_times_in_utc(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Let each change between timestamp and timestamptz read the times as UTC, on the way back too.

    Args:
        changes: of the revision.
        facts: the facts of the run.
    """
    return [_in_utc(change, facts) for change in changes]


def _in_utc(change: Change, facts: Facts) -> Change:
    up = _reading_utc(change.up)
    comments = change.comments if up is change.up else (*change.comments, CommentOp.of(_note(up, facts)))
    return Change(up, tuple(map(_reading_utc, change.down)), comments)


def _reading_utc(op: ops.MigrateOperation) -> Any:
    """The op, reading the times in UTC if PostgreSQL alone would take the session's zone. A USING says how they are
    read."""
    if not isinstance(op, ops.AlterColumnOp) or op.kw.get("postgresql_using") is not None:
        return op
    old, new = op.existing_type, op.modify_type
    return AlterTypeOp.reading_utc(op) if old is not None and new is not None and moves_zone(old, new) else op


def _note(op: ops.AlterColumnOp, facts: Facts) -> Note:
    assert op.existing_type is not None and op.modify_type is not None
    subject = f"{op.table_name}.{op.column_name}"
    reason = (
        f"from {type_text(op.existing_type)} to {type_text(op.modify_type)} the times are read as UTC, whatever the "
        "session's TimeZone is: if somebody wrote local times, name their zone instead"
    )
    advice = "" if facts.utc else "The TimeZone of this database is another one"
    return Note(TimestampWithoutTimeZone.name, subject, reason, advice=advice)
