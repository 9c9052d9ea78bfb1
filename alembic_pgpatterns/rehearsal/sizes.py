"""How many rows each table gets: from production's numbers if they are known, else from what the revision does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Name, Schema, Table

SMALL = 4
"""The first size is this part of the second."""
UNTOUCHED = 100
"""Rows of a table that the revision does not touch."""
WITHOUT_STATISTICS = 10
"""The factor of the prediction if production's number of rows is not known."""


def touched(run: RevisionRun) -> tuple[Table, ...]:
    """The tables that existed before and that the revision locks, reads or writes. Of partitions it is their root."""
    names: dict[Name, None] = {}
    for statement in run.statements:
        for name in (
            *(lock.root for lock in statement.locks),
            *(name for name in statement.tables if name is not None),
        ):
            names[name] = None
    tables = (run.before.table(name) for name in names)
    return tuple(t for t in tables if t is not None and t.kind in ("table", "partitioned") and t.partition_of is None)


@dataclass(frozen=True)
class Sizes:
    """``production``: rows per table, where known. ``touched``: by the revision. ``most``: rows of the largest."""

    schema: Schema
    production: Mapping[Name, int]
    touched: tuple[Table, ...]
    most: int

    @property
    def largest(self) -> int:
        """Rows of production's largest touched table; 0 if none is known."""
        return max((self.production.get(table.name, 0) for table in self.touched), default=0)

    def rows(self, most: int) -> dict[Name, int]:
        """The rows of the tables that the revision touches, and that they refer to, if the largest has ``most``.

        No other table appears, however large it is in production: nothing would read its rows.
        """
        names = {table.name for table in self.touched}
        around = {key.referred_table for table in self.touched for key in table.foreign_keys} - names
        if self.largest:
            scale = min(1.0, most / self.largest)
            counts = {name: self.production[name] for name in names | around if name in self.production}
            scaled = {name: min(most, max(1, round(count * scale))) for name, count in counts.items()}
            return {**dict.fromkeys(names, min(most, 1000)), **scaled}
        return {**dict.fromkeys(around, max(UNTOUCHED, most // 10)), **dict.fromkeys(names, most)}

    def target(self, table: Name, rows: int) -> int:
        """The rows of a table for which a wait is predicted."""
        return self.production.get(table, rows) if self.largest else rows * WITHOUT_STATISTICS

    def factor(self, measured: int) -> float:
        """The factor from the measured rows of the largest table to the predicted ones."""
        return max(1.0, self.largest / measured) if self.largest else float(WITHOUT_STATISTICS)
