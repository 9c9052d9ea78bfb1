"""Columns of a mixin: one line of the models declares a column of several tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_pgpatterns.fix.plan import Fix
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.remedies.model import ChangeType, TypeChange
from alembic_pgpatterns.schema.model import Location, Name, Schema


def why_not_together(fix: Fix, fixes: Sequence[Fix], schema: Schema) -> str | None:
    """Why the line of a mixin must stay: a table that keeps the old type has its column from there too. None if not.

    Args:
        fix: one of the fixes.
        fixes: all that are to be carried out together.
        schema: of the database before, with the lines of the models.
    """
    changed = {(place, change.table, change.new) for item in fixes for place, change in _changes(item)}
    for place, change in _changes(fix):
        unchanged = [name for name in _users(schema, place, change) if (place, name, change.new) not in changed]
        if unchanged:
            return (
                f"{place} is also the column {change.column} of {listed(unchanged)}, which this run does not change to "
                f"{change.new}. Fix these tables together, or write the column in each class"
            )
    return None


def _changes(fix: Fix) -> Iterator[tuple[Location, TypeChange]]:
    if isinstance(fix.remedy, ChangeType) and fix.places:
        for place, change in zip(fix.places, fix.remedy.changes, strict=True):
            if place is not None:
                yield place, change


def _users(schema: Schema, place: Location, change: TypeChange) -> Iterator[Name]:
    """The tables with the column of this line in its old type."""
    for table in schema.tables:
        column = table.column(change.column)
        if column is not None and column.origin.location == place and column.type.display == change.old:
            yield table.name
