"""The options of the advisor, and its results, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.advisor.facts import TableSize
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Recorded


@dataclass(frozen=True, slots=True)
class Benefit:
    """The effect of an index on one statement. Costs are in the planner's units."""

    statement: Recorded
    cost_before: float
    cost_after: float

    @property
    def factor(self) -> float:
        """How many times cheaper the statement is."""
        return self.cost_before / max(self.cost_after, 0.01)


@dataclass(frozen=True, slots=True)
class AdvisedIndex:
    """An index worth having.

    Attributes:
        index: its definition.
        benefits: the statements that use it, the greatest gain first.
        size: bytes that it takes at the assumed number of rows, estimated.
        break_even_rows: rows of the table from which it saves a noticeable part of a query; None if never seen to.
        robust: how many times cheaper its statements are (geometric mean) at a tenth of the rows, the rows, ten times.
        write_cost: what it costs writes, on the scale on which the gain is counted.
        requires: a statement that must run before, such as CREATE EXTENSION.
        note: what a person must know of it.
    """

    index: CreateIndex
    benefits: tuple[Benefit, ...]
    size: int
    break_even_rows: int | None = None
    robust: Mapping[str, float] = field(default_factory=dict)
    write_cost: float = 0.0
    requires: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class UnusedIndex:
    """An existing index that no statement uses after the advised ones are created."""

    name: Name
    table: Name
    reason: str


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A statement that could not be planned, and why."""

    statement: Recorded
    reason: str


@dataclass(frozen=True, slots=True)
class PlanPair:
    """The plan of a statement without an index and with it, line by line as EXPLAIN prints it."""

    statement: Recorded
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The result of the advisor.

    Attributes:
        indexes: worth having together, the greatest gain first.
        unused: indexes that are there for nothing.
        sizes: what was taken for the size of each table.
        unplanned: statements that were left out.
        planned: how many statements were planned.
        candidates: how many indexes were tried. ``plans``: how many plans were made.
        mode: "sparse files" or "row density": how the server was made to believe the sizes.
        notes: what the reader must know, one line each.
        costs: each statement's cost before and after, by fingerprint.
        explained: plans of the statements of the index that was asked for.
    """

    indexes: tuple[AdvisedIndex, ...] = ()
    unused: tuple[UnusedIndex, ...] = ()
    sizes: Mapping[Name, TableSize] = field(default_factory=dict)
    unplanned: tuple[Unplanned, ...] = ()
    planned: int = 0
    candidates: int = 0
    plans: int = 0
    mode: str = ""
    notes: tuple[str, ...] = ()
    costs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()
    explained: tuple[PlanPair, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """The options from the flags. ``tables``: only indexes of these; empty: of all. ``explain``: an index's name."""

    max_indexes: int | None = None
    tables: tuple[str, ...] = ()
    explain: str | None = None
