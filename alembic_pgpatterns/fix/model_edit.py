"""One change to the source of a model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: a new index or CHECK on a table, another type of a column, or a keyword of it.

    ``expression``: the new Python source.
    """

    table: str
    expression: str
    column: str | None = None
    simple: bool = False
    """Whether ``index=True`` on ``column`` makes the index."""
    replaces: tuple[str, ...] = ()
    """Names of the types that may be there now."""
    removes: str | None = None
    """The name of an index to remove; ``column``: the column whose ``index=True`` may have made it."""
    keyword: str | None = None
    """The keyword of the column that gets ``expression``."""
    line: int | None = None
    """Of another type of a column: the line that declares it, which may be that of a mixin, without a table's name."""
