"""What planning needs to know of tables: their sizes, and statistics of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.schema.names import Name

ASSUMED = "assumed"
"""The source of an assumed size."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """The size of a table. ``pages``: of 8 kB; None if only the rows are known. ``source``: where it comes from."""

    rows: float
    pages: int | None = None
    source: str = ASSUMED


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Statistics of one column, as in pg_stats (docs, "pg_stats"). None: not known.

    ``values`` and ``frequencies``: the most common ones; an export may have left the values out. ``bounds``: of the
    histogram. ``element``: of arrays, how often the most common element is there. ``ranges``, ``lengths``: histograms
    of a range type. All values as text.
    """

    null_frac: float = 0.0
    avg_width: int | None = None
    n_distinct: float = 0.0
    correlation: float | None = None
    values: tuple[str, ...] = ()
    frequencies: tuple[float, ...] = ()
    bounds: tuple[str, ...] = ()
    element: float | None = None
    ranges: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sizes and column statistics for planning. ``columns`` by (table, column)."""

    sizes: Mapping[Name, TableSize] = field(default_factory=dict)
    columns: Mapping[tuple[Name, str], ColumnFacts] = field(default_factory=dict)
