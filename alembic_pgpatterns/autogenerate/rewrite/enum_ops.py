"""Ops that change the labels of an enum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal


@dataclass(frozen=True, slots=True)
class EnumPlace:
    """An enum, and the columns that have it."""

    key: tuple[str, str]
    """Schema and name."""
    columns: tuple[tuple[str, str, str], ...]
    """Schema, table and name."""


class NewEnumOp(SqlOp):
    """A new type in the place of an enum: one DO statement, which rewrites the tables and can run twice.

    ``removes``: whether labels go, which the code of the release before may still write, and the same of the undoing.
    """

    in_phases: InPhases | None = None
    """What is done in its place where old and new code run at the same time; None: nothing else."""

    def __init__(self, statement: str, undo: str, place: EnumPlace, removes: tuple[bool, bool]) -> None:
        self.place = place
        self.removes, self.undo_removes = removes
        super().__init__(statement, undo, locks=[column[:2] for column in place.columns])

    def reverse(self) -> NewEnumOp:
        """The old type in the place of the new one."""
        assert self.undo is not None
        back = NewEnumOp(self.undo, self.statement, self.place, (self.undo_removes, self.removes))
        back.note, back.undo_note = self.undo_note, self.note
        return back


@dataclass(frozen=True, slots=True)
class InPhases:
    """Labels that come and labels that go, one after the other."""

    added: tuple[EnumLabelOp, ...]
    """New code may write these before the old labels go."""
    removed: NewEnumOp
    """What then takes the old labels away."""


class EnumLabelOp(SqlOp):
    """``ALTER TYPE … ADD VALUE``, which has to be committed before the label is used."""

    back: NewEnumOp | None = None
    """What takes the label away again. PostgreSQL cannot: a new type replaces the old one."""

    def reverse(self) -> ops.MigrateOperation:
        """The type without the label, or nothing where another label's op takes away several."""
        return self.back or CommentOp()


def added_labels(name: str, new: Sequence[str], old: Sequence[str]) -> tuple[list[EnumLabelOp], tuple[str, ...]]:
    """The ops that add labels to an enum, and all labels after them.

    Args:
        name: of the enum, as SQL.
        new: all labels that are wanted.
        old: those that it has.
    """
    labels = list(old)
    result: list[EnumLabelOp] = []
    for position, label in enumerate(new):
        if label in labels:
            continue
        # Without a place the label becomes the last one, and the order of an enum decides how its values are sorted.
        place = f" AFTER {literal(new[position - 1])}" if position else f" BEFORE {literal(labels[0])}"
        place = "" if position and new[position - 1] == labels[-1] else place
        labels.insert(labels.index(new[position - 1]) + 1 if position else 0, label)
        result.append(EnumLabelOp(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(label)}{place}"))
    return result, tuple(labels)
