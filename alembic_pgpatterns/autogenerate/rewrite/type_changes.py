"""A new type for a column: with a second column, in one statement, or with what reads the column out of the way."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.checks_later import checks_later
from alembic_pgpatterns.autogenerate.rewrite.column_swap import (
    EVERY_ROW,
    plan_swap,
    reasons_against,
    rebuilt_objects,
    swaps,
    under_the_lock,
)
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.kept_objects import LARGEST, around_objects
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import plain
from alembic_pgpatterns.autogenerate.rewrite.rendering import WIDTH, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.swap_recipes import recipes
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import rewrites, type_text, widens
from alembic_pgpatterns.autogenerate.rewrite.value_loss import value_loss
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import RetypeUnderViewsOp, around
from alembic_pgpatterns.patterns.revisions.rebuilt_dependents import RebuiltDependents
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.remedies.type_operations import read_in_utc
from alembic_pgpatterns.schema.names import quote


def plan_new_type(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    """Another type: most of them rewrite every row under ACCESS EXCLUSIVE."""
    views = facts.droppable_views(facts.key(op.schema, op.table_name), str(op.column_name))
    if (views or _refusing(op, facts)) and not swaps(op, facts):
        return plan_retype_under_views(RetypeUnderViewsOp([op], views), facts)
    return _new_type(op, facts)


def _refusing(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    """What makes PostgreSQL refuse a new type, and can be created again: policies, triggers, rules, publications,
    generated columns."""
    users = facts.blocks_type_change(facts.key(op.schema, op.table_name), str(op.column_name))
    dependents = facts.dependents_of(op)
    return tuple(item for item in (*dependents.objects, *dependents.rebuilt) if item in users)


def _new_type(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    """The change of type, whatever views there are."""
    subject, old, new = f"{op.table_name}.{op.column_name}", op.existing_type, op.modify_type
    refused = _refused(op, facts)
    spelled = [type_text(kind) if kind is not None else "another type" for kind in (old, new)]
    if swaps(op, facts):
        reason = f"with a second column, because from {spelled[0]} to {spelled[1]} {under_the_lock(op, facts)}"
        return plan_swap(op, _with_loss(Note(TableRewrite.name, subject, reason, more=_small_table(op)), op), facts)
    if old is not None and new is not None and not rewrites(old, new, facts.utc or read_in_utc(op)):
        return _without_rewrite(op, facts, refused)
    note = _with_loss(Note(TableRewrite.name, subject, f"from {spelled[0]} to {spelled[1]} {EVERY_ROW}"), op)
    reason = f"{note.reason}. For a large table, replace this by stages, each in its own revision:"
    note = replace(note, reason=reason, more=(*_swap(op, facts), *note.more))
    return (plain(op, strong=True, notes=(note, *refused), long=True),)


def _with_loss(note: Note, op: ops.AlterColumnOp) -> Note:
    """The note with what the new type takes from the values in silence."""
    loss = value_loss(op)
    if not loss.words:
        return note
    advice = f"Rows whose value changes: {loss.query}" if loss.query else ""
    more = (*note.more, *loss.lines)
    return replace(note, reason=f"{note.reason}. {loss.words}", more=more, warns=loss.promised, advice=advice)


def plan_retype_under_views(op: RetypeUnderViewsOp, facts: Facts) -> tuple[Step, ...]:
    """New types, with what reads the columns dropped before and created again after."""
    objects = list(dict.fromkeys(item for alter in op.alters for item in _refusing(alter, facts)))
    rebuilt = list(dict.fromkeys(item for alter in op.alters for item in facts.dependents_of(alter).rebuilt))
    reason = (
        f"PostgreSQL refuses another type because of {', '.join((*op.views, *objects))}: dropped before and created "
        "again after, with owner, grants, comments, indexes and triggers, all as in the database that runs this"
    )
    reason += "".join(facts.recast_of(alter).words(str(alter.column_name)) for alter in op.alters)
    if rebuilt:
        reason += (
            f". {', '.join(rebuilt)}: stored, so PostgreSQL computes it for all rows under the lock. A table of more "
            f"than {LARGEST} is refused"
        )
    note = Note(RebuiltDependents.name, f"{op.table_name}.{op.columns[0][2]}", reason, warns=bool(rebuilt))
    planned = [(alter, _new_type(alter, facts)) for alter in op.alters]
    # In one transaction, so that nobody misses the views: a change in stages is made as one statement here.
    steps = [several[0] if len(several) == 1 else plain(alter, strong=True, long=True) for alter, several in planned]
    operations = [each for step in steps for each in step.up.operations]
    recast = [facts.recast_of(alter) for alter in op.alters]
    if objects:
        operations = _between(around_objects(op.columns, bool(rebuilt), recast), operations)
    if op.views:
        operations = _between(around(op.columns, recast), operations)
    notes = (note, *(each for step in steps for each in step.up.notes))
    phase = Phase(tuple(operations), strong=True, notes=notes, long=any(step.up.long for step in steps))
    return (Step(0, phase, owns_downgrade=True),)


def _between(around: tuple[str, str], operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    before, after = around
    return [SqlOp(before), *operations, SqlOp(after)]


def _without_rewrite(op: ops.AlterColumnOp, facts: Facts, refused: tuple[Note, ...]) -> tuple[Step, ...]:
    """A new type that fits the stored rows: the rows stay, but what is built on the values may be checked again."""
    rebuilt = rebuilt_objects(op, facts)
    subject = f"{op.table_name}.{op.column_name}"
    checks = facts.dependents_of(op).checks
    only_checks = all(item.startswith("check ") for item in rebuilt)
    if checks and only_checks and facts.autocommit and not refused:
        reason = (
            "its CHECKs come back NOT VALID and are validated then: PostgreSQL would check every row under the lock"
        )
        staged = checks_later(op, checks, Note(RebuiltDependents.name, subject, reason))
        if staged is not None:
            return staged
    if not rebuilt:
        return (plain(op, strong=True, notes=refused),)
    reason = f"no row is rewritten, but these are rebuilt or checked again under the lock: {', '.join(rebuilt)}"
    return (plain(op, strong=True, notes=(Note(RebuiltDependents.name, subject, reason), *refused), long=True),)


def _refused(op: ops.AlterColumnOp, facts: Facts) -> tuple[Note, ...]:
    """Return a note if the database has objects on the column that make PostgreSQL refuse another type."""
    users = facts.users_in_the_way(op)
    if not users:
        return ()
    if "the partition key" in users:
        reason = (
            "PostgreSQL refuses another type for a column of the partition key, so this fails. Keep the type, with "
            "`info` in the model or a line in the baseline; or rename the table, create it again with the new type, "
            "copy the rows in batches, and drop the old one"
        )
        return (Note(RebuiltDependents.name, f"{op.table_name}.{op.column_name}", reason, warns=True),)
    reason = (
        f"PostgreSQL refuses to change the type while the column is used by: {', '.join(users)}. Drop that first, and "
        "create it again afterwards; or keep the column's type, with `info` in the model or a line in the baseline"
    )
    return (Note(RebuiltDependents.name, f"{op.table_name}.{op.column_name}", reason),)


def _swap(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    column = op.column_name
    reasons = reasons_against(op, facts)
    named = ("Autogenerate does not write these stages because of:",) if reasons else ()
    advice = [f"  {line}" for line in recipes(reasons)]
    return (
        f"1. add_column {column}_new of the new type, nullable; a trigger that keeps it equal to {column}",
        f"2. fill {column}_new for existing rows, in batches that commit; build its indexes CONCURRENTLY",
        f"3. in one short transaction: drop the trigger, rename {column} to {column}_old and {column}_new to {column}",
        f"4. once nothing reads it: drop {column}_old",
        *(part for line in (*named, *advice) for part in textwrap.wrap(line, WIDTH - 4, subsequent_indent="  ")),
    )


def _small_table(op: ops.AlterColumnOp) -> tuple[str, ...]:
    """Return lines that show the single statement for a table that is small or not in use."""
    assert op.modify_type is not None
    table, column = qualified(op.schema, op.table_name), quote(str(op.column_name))
    using = op.kw.get("postgresql_using")
    words = f" USING {using}" if using else ""
    old, new = op.existing_type, op.modify_type
    fits = using is None and old is not None and (widens(old, new) or not rewrites(old, new))
    return (
        *(() if fits else ("From the first step on, a value that does not fit the new type is refused.",)),
        "The new column is the table's last one. If the table is small, one statement replaces all of this:",
        f"  ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_text(op.modify_type)}{words}",
    )
