"""Tables whose rows are marked as deleted and stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.schema.model import Column, Table

MOMENTS = frozenset({"timestamp", "timestamptz"})


@dataclass(frozen=True, slots=True)
class SoftDeletionOptions:
    """How a table says that a row is deleted."""

    columns: tuple[str, ...] = ("deleted_at", "archived_at", "discarded_at", "deleted_on", "soft_deleted_at")
    """Names of the nullable timestamp that is set when a row is deleted; the whole name must agree."""


def soft_delete_column(table: Table, names: Iterable[str]) -> Column | None:
    """The nullable timestamp that says when a row was deleted."""
    known = {words(name) for name in names}
    for column in table.columns:
        moment = column.type.name in MOMENTS and not column.type.array and column.nullable
        if moment and not column.type.domain_not_null and words(column.name) in known:
            return column
    return None
