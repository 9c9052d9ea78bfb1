"""Which remedies a revision can carry out by itself."""

from __future__ import annotations

from alembic_pgpatterns.remedies.model import (
    Advice,
    ChangeType,
    DropIndex,
    Remedy,
    ReplaceIndex,
    SetDefault,
    Statements,
    TypeChange,
)
from alembic_pgpatterns.remedies.type_operations import reads_utc
from alembic_pgpatterns.schema.sql.expressions import column_name, parse


def why_not_fixable(remedy: Remedy | None, *, guess: bool = False) -> str | None:
    """Why no revision should carry the remedy out, in words that go on after a colon; None if one can.

    Args:
        remedy: what can be done about a finding.
        guess: the finding depends on rows and queries that nobody has seen, and was not asked for by name.
    """
    if remedy is None:
        return "nothing is known that a revision could do"
    if isinstance(remedy, Advice) and remedy.change is not None:
        return why_not_fixable(remedy.change)
    if isinstance(remedy, Advice):
        return "manual work" if remedy.decided else "a person has to decide"
    if guess and isinstance(remedy, ReplaceIndex | DropIndex):
        # An index that serves all queries is not given up for one that serves some, and least of all the one that the
        # last run has built.
        return "it depends on the rows and the queries, so it is done only if it is named: --select"
    if isinstance(remedy, Statements) and not remedy.down:
        return "a downgrade could not undo it"
    if isinstance(remedy, SetDefault) and remedy.replaces_python_default:
        return "the models make the value in Python, before the database could: take that default out of them first"
    if isinstance(remedy, ChangeType) and any(is_conversion(change) for change in remedy.changes):
        return "values change with the type, so the application has to change at the same time"
    return None


def is_conversion(change: TypeChange) -> bool:
    """Whether USING does more than cast the column itself; one that does not parse may do anything."""
    if change.using is None or reads_utc(change):
        return False
    node = parse(change.using)
    while node is not None and node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node is None or column_name(node) != change.column


def carried_out(remedy: Remedy) -> Remedy:
    """The remedy in the form that a revision carries out."""
    return remedy.change if isinstance(remedy, Advice) and remedy.change is not None else remedy
