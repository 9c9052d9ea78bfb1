"""With the setting ``directives``, steps become the op directives of this package that do the same.

The planners decide which steps a change needs. Here several of them become one directive. A directive checks what
already exists, so it can run twice and needs no file of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.filling import FillOp
from alembic_pgpatterns.autogenerate.rewrite.indexes import index_of
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, InlineReferenceOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.operations.backfill import BackfillOp
from alembic_pgpatterns.operations.columns import AddColumnWithReferenceOp
from alembic_pgpatterns.operations.constraints import (
    CreateCheckNotValidOp,
    CreateForeignKeyNotValidOp,
    ValidateConstraintOp,
)
from alembic_pgpatterns.operations.indexes import CreateIndexConcurrentlyOp, DropIndexConcurrentlyOp
from alembic_pgpatterns.operations.keys import CreatePrimaryKeyUsingIndexOp, CreateUniqueUsingIndexOp
from alembic_pgpatterns.operations.not_null import SetNotNullOp
from alembic_pgpatterns.patterns.revisions.concurrent_on_partitioned_parent import ConcurrentOnPartitionedParent
from alembic_pgpatterns.revisions.unfilled import heading
from alembic_pgpatterns.schema.names import quote, stored
from alembic_pgpatterns.schema.sql.binds import escape_binds

Steps = tuple[Step, ...]


def as_directives(op: ops.MigrateOperation, steps: Steps, facts: Facts) -> Steps:
    """Return the steps of an op, written as directives.

    Args:
        op: the op that autogenerate wrote.
        steps: the steps that the planner made of it.
        facts: the facts of the run.

    Returns:
        The steps unchanged if they are Alembic's own op.
    """
    for kind, translate in _TRANSLATIONS:
        if isinstance(op, kind):
            return translate(op, steps, facts)
    return steps


def _staged(steps: Steps) -> bool:
    """Whether the planner made several steps of the op."""
    return any(step.up.autocommit for step in steps)


def _alone(*operations: ops.MigrateOperation, notes: tuple[Note, ...] = (), strong: bool = False) -> Phase:
    """Return a phase of directives that leave the transaction themselves."""
    return Phase(operations, autocommit=True, strong=strong, notes=notes, directive=True)


def _create_index(op: ops.CreateIndexOp, steps: Steps, facts: Facts) -> Steps:
    if _staged(steps):
        return (Step(1, _alone(_build(op), notes=steps[0].up.notes), owns_downgrade=True),)
    existing = op.index_name is not None and not facts.is_new(op.schema, op.table_name)
    if existing and facts.autocommit and facts.is_partitioned(op.schema, op.table_name):
        reason = "built concurrently on one partition after another: CREATE INDEX on the parent would lock all of them"
        note = Note(ConcurrentOnPartitionedParent.name, f"{op.index_name} on {op.table_name}", reason)
        return (Step(1, _alone(_build(op), notes=(note,)), owns_downgrade=True),)
    return steps


def _build(op: ops.CreateIndexOp) -> CreateIndexConcurrentlyOp:
    name = str(op.index_name)
    return CreateIndexConcurrentlyOp(name, op.table_name, op.columns, schema=op.schema, unique=bool(op.unique), **op.kw)


def _drop_index(op: ops.DropIndexOp, steps: Steps, _: Facts) -> Steps:
    if not _staged(steps):
        return steps
    drop = DropIndexConcurrentlyOp(str(op.index_name), op.table_name, schema=op.schema)
    return (Step(1, _alone(drop, notes=steps[0].up.notes), owns_downgrade=True),)


def _key(op: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp, steps: Steps, _: Facts) -> Steps:
    if not _staged(steps):
        return steps
    directive = CreatePrimaryKeyUsingIndexOp if isinstance(op, ops.CreatePrimaryKeyOp) else CreateUniqueUsingIndexOp
    name, index = stored(op.constraint_name), index_of(op)
    # If the key has columns only, the directive builds the index itself.
    built = (_build(index),) if index.kw else ()
    directive_op = directive(
        name,
        op.table_name,
        None if built else [str(column) for column in op.columns],
        index_name=name if built else None,
        deferrable=bool(op.kw.get("deferrable")),
        initially_deferred=str(op.kw.get("initially") or "").upper() == "DEFERRED",
        schema=op.schema,
    )
    return (Step(1, _alone(*built, directive_op, notes=steps[0].up.notes, strong=True), owns_downgrade=True),)


def _foreign_key(op: ops.CreateForeignKeyOp, steps: Steps, _: Facts) -> Steps:
    if not _staged(steps):
        return steps
    named = altered(op, constraint_name=stored(op.constraint_name))
    return _not_valid(CreateForeignKeyNotValidOp.from_stock(named), steps)


def _check(op: ops.CreateCheckConstraintOp, steps: Steps, _: Facts) -> Steps:
    return _not_valid(_check_not_valid(op), steps) if _staged(steps) else steps


def _check_not_valid(op: ops.CreateCheckConstraintOp) -> CreateCheckNotValidOp:
    condition: Any = op.condition
    if isinstance(condition, TextClause) and not condition._bindparams:
        # A string is not parsed for parameters, so a colon needs no escape.
        condition = condition.text.replace("\\:", ":")
    return CreateCheckNotValidOp(stored(op.constraint_name), op.table_name, condition, schema=op.schema)


def _not_valid(directive: CreateForeignKeyNotValidOp | CreateCheckNotValidOp, steps: Steps) -> Steps:
    add, validate = steps
    first = replace(add.up, operations=(directive,), idempotent=None, directive=True)
    return (replace(add, up=first), replace(validate, up=_alone(_validate(directive))))


def _validate(directive: CreateForeignKeyNotValidOp | CreateCheckNotValidOp) -> ValidateConstraintOp:
    name = directive.constraint_name
    if isinstance(directive, CreateForeignKeyNotValidOp):
        return ValidateConstraintOp(name, directive.source_table, schema=directive.source_schema)
    return ValidateConstraintOp(name, directive.table_name, schema=directive.schema)


def _alter_column(op: ops.AlterColumnOp, steps: Steps, facts: Facts) -> Steps:
    if not _staged(steps):
        return steps
    if op.modify_type is not None:
        return _swap(op, steps, facts)
    fill = next((each for each in steps[0].up.operations if isinstance(each, FillOp | CommentOp)), None)
    staged = steps if fill is None else steps[1:]
    strict = _not_null(op.table_name, op.column_name, op.schema, staged, staged[0].level + 1)
    if fill is None:
        return (strict,)
    if isinstance(fill, CommentOp):
        return (replace(steps[0], level=strict.level), strict)
    where = f"{quote(str(op.column_name))} IS NULL"
    filled: ops.MigrateOperation = fill
    if facts.has_primary_key(facts.key(op.schema, op.table_name)):
        filled = _backfill(op.table_name, str(op.column_name), fill.value, where, op.schema)
    return (Step(strict.level, _alone(filled, notes=steps[0].up.notes)), strict)


def _not_null(table: str, column: str, schema: str | None, steps: Steps, level: int) -> Step:
    """Join the CHECK, its VALIDATE and SET NOT NULL. Of `undo_when_split` only DROP NOT NULL remains."""
    first, last = steps[0], steps[-1]
    up = _alone(SetNotNullOp(table, column, schema=schema), notes=first.up.notes, strong=True)
    undo = last.undo_when_split[1:]
    return Step(level, up, undo_when_split=undo, owns_downgrade=last.owns_downgrade, contract=first.contract)


def _swap(op: ops.AlterColumnOp, steps: Steps, facts: Facts) -> Steps:
    begin, fill, swap = steps
    added, table = begin.up.operations[0], facts.key(op.schema, op.table_name)
    if not isinstance(added, ops.AddColumnOp) or not facts.has_primary_key(table) or op.kw.get("postgresql_using"):
        # USING may give NULL for a value, and op.backfill repeats until no row with NULL is left.
        return steps
    old, new = quote(str(op.column_name)), str(added.column.name)
    where = f"{quote(new)} IS NULL AND {old} IS NOT NULL"
    backfill = _backfill(op.table_name, new, old, where, op.schema)
    at = next(place for place, each in enumerate(fill.up.operations) if isinstance(each, FillOp))
    # What is made once more for the new column has names that no directive knows.
    before, after = (Phase(part, autocommit=True) for part in (fill.up.operations[:at], fill.up.operations[at + 1 :]))
    filled = (before, _alone(backfill, notes=fill.up.notes), after)
    return (begin, *(Step(fill.level, phase) for phase in filled if phase.operations), swap)


def _backfill(table: str, column: str, value: str, where: str, schema: str | None) -> BackfillOp:
    return BackfillOp(table, {column: text(escape_binds(value))}, where, schema=schema)


def _add_column(op: ops.AddColumnOp, steps: Steps, facts: Facts) -> Steps:
    add, *later = steps
    add = replace(add, up=_with_reference(add.up))
    if not _staged(steps):
        return (add,)
    fill, *strict = later
    has_key = facts.has_primary_key(facts.key(op.schema, op.table_name))
    filled = [replace(fill, up=_filled(op, fill.up)) if has_key else fill]
    if strict:
        # In the file of the backfill, even if that is only a comment.
        filled.append(_not_null(op.table_name, op.column.name, op.schema, tuple(strict), fill.level))
    return (add, *filled)


def _with_reference(phase: Phase) -> Phase:
    first, *others_ = phase.operations
    if not isinstance(first, InlineReferenceOp) or first.reference.match is not None:
        return phase
    # The directive names the key itself. The other operations set the column's default.
    others = [each for each in others_ if not isinstance(each, SqlOp)]
    return replace(phase, operations=(_reference(first), *others), idempotent=None)


def _reference(op: InlineReferenceOp) -> AddColumnWithReferenceOp:
    key, target = op.reference, op.reference.elements[0].column
    return AddColumnWithReferenceOp(
        op.table_name,
        op.column,
        target.table.name,
        target.name,
        constraint_name=stored(key.name) if key.name is not None else None,
        referent_schema=target.table.schema,
        ondelete=key.ondelete,
        onupdate=key.onupdate,
        deferrable=bool(key.deferrable),
        initially_deferred=(key.initially or "").upper() == "DEFERRED",
        schema=op.schema,
    )


def _filled(op: ops.AddColumnOp, phase: Phase) -> Phase:
    column = op.column.name
    where = f"{quote(column)} IS NULL"
    fill = phase.operations[0]
    if isinstance(fill, FillOp):
        return _alone(_backfill(op.table_name, column, fill.value, where, op.schema), notes=phase.notes)
    schema = f", schema={op.schema!r}" if op.schema else ""
    lines = (
        f"{heading(op.schema, op.table_name, column)} In batches that commit:",
        f"#   op.backfill({op.table_name!r}, {{{column!r}: sa.text('...')}}, {where!r}{schema})",
    )
    comment = CommentOp(lines, todo=f"fill {op.table_name}.{column}")
    comment.fills = (op.schema, op.table_name)
    return _alone(comment)


_TRANSLATIONS: tuple[tuple[type[ops.MigrateOperation], Callable[[Any, Steps, Facts], Steps]], ...] = (
    (ops.CreateIndexOp, _create_index),
    (ops.DropIndexOp, _drop_index),
    (ops.CreateUniqueConstraintOp, _key),
    (ops.CreatePrimaryKeyOp, _key),
    (ops.CreateForeignKeyOp, _foreign_key),
    (ops.CreateCheckConstraintOp, _check),
    (ops.AlterColumnOp, _alter_column),
    (ops.AddColumnOp, _add_column),
)
