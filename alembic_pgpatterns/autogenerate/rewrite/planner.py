"""The plan of one op: which planner it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite import columns as road_columns
from alembic_pgpatterns.autogenerate.rewrite import constraints as road_constraints
from alembic_pgpatterns.autogenerate.rewrite import indexes as road_indexes
from alembic_pgpatterns.autogenerate.rewrite.changes import Change
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Piece, Planned, Step, levelled

Planner = Callable[[Any, Facts], tuple[Step, ...]]

_PLANNERS: tuple[tuple[type[ops.MigrateOperation], Planner], ...] = (
    (ops.CreateTableOp, road_constraints.plan_table),
    (ops.DropTableOp, road_constraints.plan_table),
    (ops.CreateIndexOp, road_indexes.plan_create_index),
    (ops.DropIndexOp, road_indexes.plan_drop_index),
    (ops.CreateUniqueConstraintOp, road_indexes.plan_unique),
    (ops.CreatePrimaryKeyOp, road_indexes.plan_unique),
    (ops.CreateForeignKeyOp, road_constraints.plan_foreign_key),
    (ops.CreateCheckConstraintOp, road_constraints.plan_check),
    (ops.DropConstraintOp, road_constraints.plan_drop_constraint),
    (ops.AddColumnOp, road_columns.plan_add_column),
    (ops.AlterColumnOp, road_columns.plan_alter_column),
)


def plan(op: ops.MigrateOperation, facts: Facts) -> tuple[Step, ...]:
    """The steps of one op. What the road does not know stays as it is, at its place."""
    for kind, planner in _PLANNERS:
        if isinstance(op, kind):
            return _worded(op, planner(op, facts), facts)
    if isinstance(op, CommentOp):
        return (Step(0, Piece((op,)), main=True),)
    existing = isinstance(op, ops.DropColumnOp) and not facts.is_new(op.schema, op.table_name)
    return (road_indexes.plain(op, strong=existing),)


def _worded(op: ops.MigrateOperation, steps: tuple[Step, ...], facts: Facts) -> tuple[Step, ...]:
    if not facts.settings.directives:
        return steps
    # The directives' modules are loaded only where they are used.
    from alembic_pgpatterns.autogenerate.rewrite.directives import directed

    return directed(op, steps, facts)


def plan_all(changes: list[Change], facts: Facts) -> list[Planned]:
    """The changes with their steps, in an order that can be gone."""
    planned = [Planned(change, _below(change, plan(change.up, facts)), i) for i, change in enumerate(changes)]
    return levelled(planned, facts)


def _below(change: Change, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, with the comments that stood above the op above the first one."""
    if not change.above or not steps:
        return steps
    first = replace(steps[0], up=replace(steps[0].up, above=change.above))
    return (first, *steps[1:])


def plan_back(operations: list[ops.MigrateOperation], facts: Facts) -> list[Step]:
    """The steps of ops of a downgrade, which stay in one file: in order of their levels."""
    planned = levelled([Planned(Change(op), plan_undo(op, facts)) for op in operations], facts)
    return sorted((step for item in planned for step in item.steps), key=lambda step: step.level)


def plan_undo(op: ops.MigrateOperation, facts: Facts) -> tuple[Step, ...]:
    """The steps of one op of a downgrade."""
    if isinstance(op, ops.AddColumnOp) and not op.column.nullable and op.column.server_default is None:
        return road_columns.column_back(op, facts)
    return plan(op, facts)
