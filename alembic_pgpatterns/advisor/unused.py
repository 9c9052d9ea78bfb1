"""Existing indexes that nothing uses, reported only if the workload shows it."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.advisor.choice import Choice
from alembic_pgpatterns.advisor.model import UnusedIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table
from alembic_pgpatterns.workload.model import Workload


def unused(schema: Schema, choice: Choice, workload: Workload) -> tuple[UnusedIndex, ...]:
    """Indexes that the advice makes unnecessary and, if the workload is production's, those that nothing used before.

    Never a unique one, which enforces; never one of a foreign key, whose deletes are rare.
    """
    choice.search.prepare(choice.search.questions, choice.chosen)
    costs = [choice.search.cost(item, choice.chosen) for item in choice.search.questions]
    before = [choice.search.cost(item, ()) for item in choice.search.questions]
    used_now = {name for cost in costs for name in cost.used}
    used_before = {name for cost in before for name in cost.used}
    return tuple(_unused(schema, used_now, used_before, not workload.from_production))


def _unused(schema: Schema, now: set[str], before: set[str], partial: bool) -> Iterator[UnusedIndex]:
    for table in schema.tables:
        for index in table.indexes:
            name = index.name.name
            if name in now or _must_stay(index, table):
                continue
            if name in before:
                yield UnusedIndex(index.name, table.name, "the advised indexes serve every statement that used it")
            elif not partial:
                yield UnusedIndex(index.name, table.name, "no statement of the workload uses it")


def _must_stay(index: Index, table: Table) -> bool:
    enforces = index.unique or index.constraint is not None or index.replica_identity
    # What a foreign key's trigger looks up is in no workload: parents are rarely deleted.
    keys = any(set(key.columns) == set(index.columns[: len(key.columns)]) for key in table.foreign_keys)
    return enforces or keys or index.parent is not None or not index.valid
