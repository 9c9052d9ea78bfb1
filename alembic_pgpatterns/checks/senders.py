"""Where the application sends a recorded statement."""

from __future__ import annotations

from alembic_pgpatterns.schema.model import Location
from alembic_pgpatterns.workload.model import Recorded


def location_of(statement: Recorded) -> Location | None:
    """The place in the application that sends a statement."""
    return Location(statement.site.path, statement.site.line) if statement.site is not None else None
