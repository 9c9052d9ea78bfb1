"""Tables whose rows are marked as deleted, and not removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alembic_pgpatterns.evidence.model import Condition, Use
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.schema.model import Column, Table
from alembic_pgpatterns.schema.names import quote

MOMENTS = frozenset({"timestamp", "timestamptz"})


@dataclass(frozen=True, slots=True)
class SoftDeletionOptions:
    """How a table says that a row is deleted."""

    columns: tuple[str, ...] = ("deleted_at", "archived_at", "discarded_at", "deleted_on", "soft_deleted_at")
    """Names of the nullable timestamp that is set when a row is deleted; the whole name must be equal."""


FLAGS = frozenset({("deleted",), ("is", "deleted"), ("archived",), ("is", "archived"), ("soft", "deleted")})
"""Names of booleans, as words, that say that a row is deleted."""


@dataclass(frozen=True, slots=True)
class DeletionMark:
    """A column that says whether a row is deleted, and the conditions for both."""

    column: str
    alive: str
    dead: str
    uses: frozenset[Use]
    literal: str | None

    def fits(self, condition: Condition) -> bool:
        """Whether a condition on the column selects the rows that are not deleted."""
        return condition.literal == self.literal


def deletion_marks(table: Table, names: Iterable[str]) -> list[DeletionMark]:
    """The columns that mark a row as deleted, in a table with a deletion timestamp; the timestamp first."""
    moment = soft_delete_column(table, names)
    if moment is None:
        return []
    name = quote(moment.name)
    marks = [DeletionMark(moment.name, f"{name} IS NULL", f"{name} is set", frozenset({Use.IS_NULL}), None)]
    for column in table.columns:
        if column.type.name == "bool" and not column.type.array and words(column.name) in FLAGS:
            flag = quote(column.name)
            marks.append(DeletionMark(column.name, f"NOT {flag}", f"{flag} is true", frozenset({Use.EQUAL}), "false"))
    return marks


def soft_delete_column(table: Table, names: Iterable[str]) -> Column | None:
    """The nullable timestamp that says when a row was deleted."""
    expected = {words(name) for name in names}
    for column in table.columns:
        moment = column.type.name in MOMENTS and not column.type.array and column.nullable
        if moment and not column.type.domain_not_null and words(column.name) in expected:
            return column
    return None
