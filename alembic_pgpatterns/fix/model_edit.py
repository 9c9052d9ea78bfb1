"""One change to the source of a model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: a new index on a table, or another type of a column. ``expression``: Python source of what is new."""

    table: str
    expression: str
    column: str | None = None
    simple: bool = False
    """An index that ``index=True`` makes, on ``column``."""
    replaces: tuple[str, ...] = ()
    """Names of types that may stand there now."""
    removes: str | None = None
    """The name of an index to take out; ``column``: the one whose ``index=True`` may have made it."""
