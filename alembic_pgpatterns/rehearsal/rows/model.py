"""The requests to the generator, and its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.schema.model import Column, Name


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """How the values of a column are spread in production, without the values themselves.

    ``null_frac``: share of NULLs, from 0 to 1. ``distinct``: number of distinct values, or, where negative, minus the
    share of the rows, as pg_stats.n_distinct has it; 0: not known. ``common``: shares of the most common values,
    from 0 to 1, the largest first. ``correlation``: of the values' order with the rows' order, from -1 to 1.
    """

    null_frac: float = 0.0
    distinct: float = 0.0
    common: tuple[float, ...] = ()
    correlation: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to fill.

    ``rows``: per table; a table that is not named gets ``others``. ``shapes``: of columns, by table and name.
    ``null_frac``: share of NULLs in a nullable column without a shape. ``like``: columns
    whose values must be readable as another type, with a column of that type. ``seed``: another one gives other rows.
    ``keep_filled``: tables that have rows already get no others. ``triggers``: whether they run meanwhile.
    """

    rows: Mapping[Name, int] = field(default_factory=dict)
    others: int = 100
    shapes: Mapping[tuple[Name, str], ColumnShape] = field(default_factory=dict)
    null_frac: float = 0.1
    like: Mapping[tuple[Name, str], Column] = field(default_factory=dict)
    seed: int = 1
    keep_filled: bool = False
    triggers: bool = False

    def target_rows(self, table: Name) -> int:
        """How many rows the table will have."""
        return self.rows.get(table, self.others)


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A table that got no rows, and the constraint or type that is the reason."""

    table: Name
    reason: str


@dataclass(frozen=True, slots=True)
class Filled:
    """The rows that the tables have now.

    ``rows``: per table, with those that were there before. ``seconds``: all of it.
    """

    rows: Mapping[Name, int] = field(default_factory=dict)
    unfilled: tuple[Unfilled, ...] = ()
    seconds: float = 0.0


class Unfillable(Exception):
    """A table that cannot be filled; the text is the reason, with the constraint's name."""
