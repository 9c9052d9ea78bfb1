"""Plan each op with the planner for its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite import columns, constraints, indexes, type_changes
from alembic_pgpatterns.autogenerate.rewrite.changes import Change, adds_labels, altered
from alembic_pgpatterns.autogenerate.rewrite.column_back import column_back
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.enum_ops import EnumLabelOp, NewEnumOp
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import plain
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.replaced_index import ReplaceIndexOp, plan_replace_index
from alembic_pgpatterns.autogenerate.rewrite.statement_locks import again_or_none, waits_for_a_strong_lock
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Planned, Step, levelled
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import RetypeUnderViewsOp
from alembic_pgpatterns.schema.sql.binds import escape_binds

Planner = Callable[[Any, Facts], tuple[Step, ...]]


def plan_alter_column(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    """Return the steps of ALTER COLUMN, with or without another type."""
    if op.modify_type is None or facts.is_new(op.schema, op.table_name):
        return columns.plan_alter_column(op, facts)
    return type_changes.plan_new_type(op, facts)


PLANNERS: tuple[tuple[type[ops.MigrateOperation], Planner], ...] = (
    (ops.CreateTableOp, constraints.plan_table),
    (ops.DropTableOp, constraints.plan_table),
    (ops.CreateIndexOp, indexes.plan_create_index),
    (ops.DropIndexOp, indexes.plan_drop_index),
    (ops.CreateUniqueConstraintOp, indexes.plan_unique),
    (ops.CreatePrimaryKeyOp, indexes.plan_unique),
    (ops.CreateForeignKeyOp, constraints.plan_foreign_key),
    (ops.CreateCheckConstraintOp, constraints.plan_check),
    (ops.DropConstraintOp, constraints.plan_drop_constraint),
    (ops.AddColumnOp, columns.plan_add_column),
    (ops.AlterColumnOp, plan_alter_column),
    (ops.DropColumnOp, columns.plan_drop_column),
    (ReplaceIndexOp, plan_replace_index),
    (RetypeUnderViewsOp, type_changes.plan_retype_under_views),
)


def plan(op: ops.MigrateOperation, facts: Facts) -> tuple[Step, ...]:
    """Return the steps of one op. An unknown op stays as it is, in its place."""
    for kind, planner in PLANNERS:
        if isinstance(op, kind):
            return _in_directives(op, planner(op, facts), facts)
    if isinstance(op, CommentOp):
        return (Step(0, Phase((op,)), owns_downgrade=True),)
    if isinstance(op, EnumLabelOp) or adds_labels(op):
        return (Step(1 if facts.autocommit else 0, Phase((op,), autocommit=facts.autocommit), owns_downgrade=True),)
    if isinstance(op, NewEnumOp):
        return (_new_enum(op, facts),)
    if isinstance(op, RenameOp) and op.of_index:
        # SHARE UPDATE EXCLUSIVE on the index alone (docs, ALTER INDEX, since PostgreSQL 12).
        repeated = op.statement.replace("ALTER INDEX", "ALTER INDEX IF EXISTS", 1)
        return (plain(op, idempotent=(altered(op, sqltext=escape_binds(repeated), statement=repeated),)),)
    if isinstance(op, AlterTableOp):
        notes = (op.note,) if op.note is not None else ()
        existing = not facts.is_new(op.schema, op.table_name)
        again = again_or_none(op.statement)
        idempotent = None if again is None else (altered(op, sqltext=escape_binds(again), statement=again),)
        return (plain(op, existing, notes, idempotent, long=existing and again is not None),)
    if isinstance(op, ops.ExecuteSQLOp):
        notes = (op.note,) if isinstance(op, SqlOp) and op.note is not None else ()
        strong = bool(getattr(op, "locks", ())) or waits_for_a_strong_lock(op, facts)
        return (plain(op, strong=strong, notes=notes),)
    directive: Any = op if getattr(op, "closes_table", False) else None
    return (plain(op, strong=directive is not None and not facts.is_new(directive.schema, directive.table)),)


def _new_enum(op: NewEnumOp, facts: Facts) -> Step:
    """The rows of its tables are rewritten under its locks, which must not last for what else the revision does."""
    notes = (op.note,) if op.note is not None else ()
    phase = Phase((op,), facts.autocommit, strong=True, notes=notes)
    return Step(1 if facts.autocommit else 0, phase, owns_downgrade=True)


def _in_directives(op: ops.MigrateOperation, steps: tuple[Step, ...], facts: Facts) -> tuple[Step, ...]:
    if not facts.settings.directives:
        return steps
    # The directives' modules are loaded only where they are used.
    from alembic_pgpatterns.autogenerate.rewrite.directives import as_directives

    return as_directives(op, steps, facts)


def plan_all(changes: list[Change], facts: Facts) -> list[Planned]:
    """Return the changes with their steps, at levels that respect what depends on what."""
    planned = [Planned(change, _below(change, plan(change.up, facts)), i) for i, change in enumerate(changes)]
    return levelled(_long_apart(planned, facts), facts)


def _long_apart(planned: list[Planned], facts: Facts, one_file: bool = False) -> list[Planned]:
    """Give what works long under a lock a transaction of its own, if the revision locks other tables too.

    Locks are held until a transaction ends (docs, "Explicit Locking"): whoever needs the other tables would wait as
    long as the work on this one takes.
    """
    locked = {facts.key_of(p.change.up) for p in planned if any(s.up.strong and not s.up.autocommit for s in p.steps)}
    if len(locked) < 2 or not facts.autocommit:
        return planned
    return [replace(item, steps=tuple(_apart(step, one_file) for step in item.steps)) for item in planned]


def _apart(step: Step, one_file: bool) -> Step:
    if not step.up.long or (one_file and step.up.idempotent is None):
        return step
    if step.up.idempotent is None:
        return replace(step, level=step.level + 2, apart=True)
    # In a file that runs again after a failure further down, it must not fail because it is done.
    return replace(step, level=step.level + 1, up=replace(step.up, operations=step.up.idempotent, autocommit=True))


def _below(change: Change, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Put the comments above the op above its first step."""
    if not change.comments or not steps:
        return steps
    first = replace(steps[0], up=replace(steps[0].up, comments=change.comments))
    return (first, *steps[1:])


def plan_back(operations: list[ops.MigrateOperation], facts: Facts) -> list[tuple[Step, ...]]:
    """Return the steps of each op of a downgrade, which stay in one file."""
    planned = [Planned(Change(op), plan_undo(op, facts)) for op in operations]
    return [item.steps for item in levelled(_long_apart(planned, facts, one_file=True), facts)]


def plan_undo(op: ops.MigrateOperation, facts: Facts) -> tuple[Step, ...]:
    """Return the steps of one op of a downgrade."""
    if isinstance(op, ops.AddColumnOp) and not op.column.nullable and op.column.server_default is None:
        return column_back(op, facts)
    return plan(op, facts)
