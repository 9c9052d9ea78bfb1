"""Columns of existing tables: changes that fail on rows, or read or rewrite all of them, made in stages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from alembic.operations import ops
from sqlalchemy import Computed, FetchedValue, Identity, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import Column, DefaultClause, conv

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill
from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.checks_later import checks_later
from alembic_pgpatterns.autogenerate.rewrite.column_swap import can_swap, obstacles, plan_swap, small_table
from alembic_pgpatterns.autogenerate.rewrite.constraints import validate
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.filling import FILLING, FillOp, value_for_rows
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import NOT_VALID, own_transaction, plain, repeatable
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, InlineReferenceOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import keeps_indexes, rewrites, type_text
from alembic_pgpatterns.autogenerate.rewrite.views import RetypeUnderViewsOp, around
from alembic_pgpatterns.patterns.revisions.blocking_not_null import BlockingNotNull
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.patterns.revisions.rebuilt_dependents import RebuiltDependents
from alembic_pgpatterns.patterns.revisions.required_column_without_default import RequiredColumnWithoutDefault
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.patterns.revisions.unbatched_data_change import UnbatchedDataChange
from alembic_pgpatterns.patterns.revisions.validating_foreign_key import ValidatingForeignKey
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.remedies.type_operations import read_in_utc
from alembic_pgpatterns.revisions.unfilled import heading
from alembic_pgpatterns.schema.names import quote, stored
from alembic_pgpatterns.schema.sql.binds import escape_binds

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def plan_add_column(op: ops.AddColumnOp, facts: Facts) -> tuple[Step, ...]:
    """ADD COLUMN takes ACCESS EXCLUSIVE for a moment, unless it rewrites the table or existing rows violate it."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    subject = f"{op.table_name}.{op.column.name}"
    reason = rewriting(op, facts)
    if reason is not None and not (isinstance(op.column.server_default, DefaultClause) and _can_stage(op, facts)):
        return (plain(op, strong=True, notes=(Note(TableRewrite.name, subject, reason, more=_staged_by_hand(op)),)),)
    if reason is not None:
        return _filled_later(op, Note(TableRewrite.name, subject, reason), _backfill(op, "DEFAULT"))
    if op.column.nullable or op.column.server_default is not None:
        return (_at_once(op),)
    reason = "existing rows have no value for it: they are filled first (see the next file), and NOT NULL comes last"
    note = Note(RequiredColumnWithoutDefault.name, subject, reason)
    if not facts.autocommit:
        return (plain(op, strong=True, notes=(own_transaction(note.pattern, subject),)),)
    value = value_for_rows(op.column)
    return _filled_later(op, note, None if value is None else _backfill(op, value, _AS_DECLARED))


_AS_DECLARED = "existing rows get the default that the model has in Python; write another value here if they need one"


def _at_once(op: ops.AddColumnOp) -> Step:
    step = plain(op, strong=True)
    if not isinstance(op, InlineReferenceOp):
        return step
    return replace(step, up=replace(step.up, operations=(op, *_renamed(op)), notes=(_inline_note(op),)))


def _inline_note(op: InlineReferenceOp) -> Note:
    reason = "the foreign key is part of the new column: it is NULL in every row, so no row has to be checked"
    return Note(ValidatingForeignKey.name, f"{op.table_name}.{op.column.name}", reason)


def _renamed(op: InlineReferenceOp) -> tuple[ops.MigrateOperation, ...]:
    name = op.reference.name
    if name is None or stored(name) == op.named:
        return ()
    rename = f"{alter_table(op.schema, op.table_name)} RENAME CONSTRAINT {quote(op.named)} TO {quote(stored(name))}"
    return (SqlOp(rename),)


def rewriting(op: ops.AddColumnOp, facts: Facts) -> str | None:
    """Return why adding a column rewrites the table, or None."""
    default = op.column.server_default
    if isinstance(default, Computed):
        return "a stored generated column is computed for every row, under a lock that stops readers and writers"
    if isinstance(default, Identity):
        return "an identity column is numbered in every row, under a lock that stops readers and writers"
    if isinstance(op.column.type, postgresql.DOMAIN) and (op.column.type.check is not None or op.column.type.not_null):
        return "a domain with a constraint makes PostgreSQL rewrite every row; a plain type with a CHECK does not"
    expression = default_text(default)
    if expression is not None and facts.volatile(expression):
        return f"{expression} is evaluated for every row, under a lock that stops readers and writers"
    return None


def default_text(default: FetchedValue | None) -> str | None:
    """Return a server default as SQL, or None if there is none or it is no plain default."""
    if not isinstance(default, DefaultClause):
        return None
    if isinstance(default.arg, str):
        return "'" + default.arg.replace("'", "''") + "'"
    return str(default.arg.compile(dialect=_dialect, compile_kwargs={"literal_binds": True}))


def _can_stage(op: ops.AddColumnOp, facts: Facts) -> bool:
    # A domain that is NOT NULL refuses the rows before they are filled.
    strict = isinstance(op.column.type, postgresql.DOMAIN) and op.column.type.not_null
    return facts.autocommit and not strict and not facts.is_partitioned(op.schema, op.table_name)


def _filled_later(op: ops.AddColumnOp, note: Note, backfill: Phase | None) -> tuple[Step, ...]:
    """Add the column nullable, set its default for new rows, fill existing rows, then set NOT NULL."""
    column = altered(op, column=_loose(op.column))
    first: list[ops.MigrateOperation] = [column]
    notes: tuple[Note, ...] = (note,)
    if isinstance(op, InlineReferenceOp):
        first.extend(_renamed(op))
        notes = (note, _inline_note(op))
    if op.column.server_default is not None:
        default = ops.AlterColumnOp(
            op.table_name,
            op.column.name,
            schema=op.schema,
            existing_type=op.column.type,
            modify_server_default=op.column.server_default,
        )
        first.append(default)
    idempotent = (*(repeatable(first[0]) or ()), *first[1:])
    add = Step(0, Phase(tuple(first), strong=True, idempotent=idempotent, notes=notes), owns_downgrade=True)
    fill = Step(1, backfill or _fill_in(op))
    if op.column.nullable:
        return (add, fill)
    place = _Place(op.schema, op.table_name, op.column.name, op.column.type)
    check, *rest = _not_null(place, 2, undone=False)
    if op.column.server_default is None:
        rest = [replace(step, contract=True) for step in rest]
        check = replace(check, up=replace(check.up, notes=(*check.up.notes, _new_code_first(op))), contract=True)
    return (add, fill, check, *rest)


def _new_code_first(op: ops.AddColumnOp) -> Note:
    # A CHECK that is NOT VALID is checked for every new and changed row (docs, "ALTER TABLE").
    reason = "from here on INSERTs of the old code fail, since they lack the column: wait until only new code runs"
    return Note(RequiredColumnWithoutDefault.name, f"{op.table_name}.{op.column.name}", reason, aside=True)


def _loose(column: Column[Any]) -> Column[Any]:
    return Column(column.name, column.type, nullable=True, comment=column.comment)


def _fill_in(op: ops.AddColumnOp) -> Phase:
    """Return a commented statement to complete, because only people know the values."""
    lines = (
        f"{heading(op.schema, op.table_name, op.column.name)} Batches of pages keep locks short:",
        *(f"#   {line}".rstrip() for line in _filled(op, "...").splitlines()),
    )
    return Phase((CommentOp(lines, todo=f"fill {op.table_name}.{op.column.name}"),), autocommit=True)


def _filled(op: ops.AddColumnOp, value: str) -> str:
    return backfill(op.schema, op.table_name, op.column.name, value)


_IN_BATCHES = "each batch commits, so no row stays locked for long; the table's UPDATE triggers see every row"


def _backfill(op: ops.AddColumnOp, value: str, because: str | None = None) -> Phase:
    reason = f"{because}; {_IN_BATCHES}" if because else _IN_BATCHES
    note = Note(UnbatchedDataChange.name, f"{op.table_name}.{op.column.name}", reason, aside=True)
    return Phase((FillOp(_filled(op, value), value),), autocommit=True, notes=(note,))


def plan_alter_column(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    """ALTER COLUMN: SET NOT NULL and most type changes read or rewrite every row under ACCESS EXCLUSIVE."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    if op.modify_type is not None:
        return _type_change(op, facts)
    if op.modify_nullable is False and _only_nullable(op):
        subject = f"{op.table_name}.{op.column_name}"
        if not facts.autocommit:
            return (plain(op, strong=True, notes=(own_transaction(BlockingNotNull.name, subject),)),)
        steps = _not_null(_Place(op.schema, op.table_name, op.column_name, op.existing_type), 0, whole=op)
        return _with_values(op, steps)
    # COMMENT takes SHARE UPDATE EXCLUSIVE, for which no reader or writer waits.
    only_comment = op.modify_nullable is None and op.modify_server_default is False
    return (plain(op, strong=not only_comment),)


def _with_values(op: ops.AlterColumnOp, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Let rows without a value get the default of new rows, before the CHECK that proves NOT NULL is validated."""
    default = op.existing_server_default
    value = "DEFAULT" if isinstance(default, DefaultClause) else getattr(op, FILLING, None)
    if value is None:
        return steps
    add, validate_check, *rest = steps
    reason = "rows without a value get the column's default; a downgrade does not make them NULL again"
    note = Note(UnbatchedDataChange.name, f"{op.table_name}.{op.column_name}", f"{reason}; {_IN_BATCHES}")
    fill = FillOp(backfill(op.schema, op.table_name, str(op.column_name), value), value)
    phase = validate_check.up
    filled = replace(phase, operations=(fill, *phase.operations), notes=(note, *phase.notes))
    return (add, replace(validate_check, up=filled), *rest)


def _only_nullable(op: ops.AlterColumnOp) -> bool:
    return op.modify_server_default is False and op.modify_comment is False and op.modify_name is None


class _Place(NamedTuple):
    """A column by its name; ``type``: for Alembic's ``existing_type``."""

    schema: str | None
    table: str
    column: str
    type: Any


def _not_null(
    place: _Place, level: int, whole: ops.AlterColumnOp | None = None, undone: bool = True
) -> tuple[Step, ...]:
    """Set NOT NULL after validating a CHECK that proves it, so that no row is read under the lock (PostgreSQL 12).

    Args:
        place: the column.
        level: of the first step.
        whole: the op that sets NOT NULL, if there is one already.
        undone: whether the downgrade makes the column nullable. It does not if it drops the column.
    """
    schema, table, column, kind = place
    subject = f"{table}.{column}"
    # conv: a naming convention for checks must not change the name.
    name = conv(fit(f"{table}_{column}_not_null_check"))
    check = ops.CreateCheckConstraintOp(name, table, text(escape_binds(f"{quote(column)} IS NOT NULL")), schema=schema)
    staged = altered(check, kw={NOT_VALID: True})
    drop = ops.DropConstraintOp(name, table, "check", schema=schema, if_exists=True)
    subject_note = Note(
        BlockingNotNull.name,
        subject,
        "with a CHECK first: SET NOT NULL alone would block every reader and writer while it reads every row",
    )
    first = Phase((staged,), strong=True, idempotent=(drop, staged), notes=(subject_note,))
    strict = whole or ops.AlterColumnOp(table, column, schema=schema, existing_type=kind, modify_nullable=False)
    loosen = ops.AlterColumnOp(table, column, schema=schema, existing_type=kind, modify_nullable=True)
    proven = Note(BlockingNotNull.name, subject, "the CHECK proves it, and no row is read", aside=True)
    last = Phase((strict, altered(drop, if_exists=None)), strong=True, idempotent=(strict, drop), notes=(proven,))
    undo = Step(0, Phase((drop,), strong=True))
    # A downgrade can stop between the steps only if they are in several files.
    back = (Step(0, first), *(() if undone else (Step(0, Phase((loosen,), strong=True)),)))
    return (
        Step(level, first, undo_when_split=(undo,)),
        Step(level + 1, validate(check)),
        Step(level + 2, last, undo_when_split=back, owns_downgrade=undone),
    )


def _type_change(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    subject, old, new = f"{op.table_name}.{op.column_name}", op.existing_type, op.modify_type
    refused = _refused(op, facts)
    if old is not None and new is not None and not rewrites(old, new, facts.utc or read_in_utc(op)):
        return _without_rewrite(op, facts, refused)
    spelled = [type_text(kind) if kind is not None else "another type" for kind in (old, new)]
    cost = f"from {spelled[0]} to {spelled[1]} every row is rewritten while nobody can read or write"
    if can_swap(op, facts):
        reason = f"with a second column, because {cost}"
        return plan_swap(op, Note(TableRewrite.name, subject, reason, more=small_table(op)), facts)
    reason = f"{cost}. For a large table, replace this by stages, each in its own revision:"
    return (plain(op, strong=True, notes=(Note(TableRewrite.name, subject, reason, more=_swap(op, facts)), *refused)),)


def plan_retype_under_views(op: RetypeUnderViewsOp, facts: Facts) -> tuple[Step, ...]:
    """New types, with the views on the columns dropped before and created again after."""
    before, after = around(op.columns)
    reason = (
        f"PostgreSQL refuses another type because of {', '.join(op.views)}: dropped before and created again after, "
        "with owner, grants, comments, indexes and triggers, all as in the database that runs this"
    )
    note = Note(RebuiltDependents.name, f"{op.table_name}.{op.columns[0][2]}", reason)
    planned = [(alter, plan_alter_column(alter, facts)) for alter in op.alters]
    # In one transaction, so that nobody misses the views: a change in stages is made as one statement here.
    steps = [several[0] if len(several) == 1 else plain(alter, strong=True) for alter, several in planned]
    operations = [each for step in steps for each in step.up.operations]
    notes = (note, *(each for step in steps for each in step.up.notes))
    phase = Phase((SqlOp(before), *operations, SqlOp(after)), strong=True, notes=notes)
    return (Step(0, phase, owns_downgrade=True),)


def _without_rewrite(op: ops.AlterColumnOp, facts: Facts, refused: tuple[Note, ...]) -> tuple[Step, ...]:
    """A new type that fits the stored rows: the rows stay, but what is built on the values may be checked again."""
    rebuilt = _rebuilt(op, facts)
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
    return (plain(op, strong=True, notes=(Note(RebuiltDependents.name, subject, reason), *refused)),)


def _rebuilt(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    rebuilt = facts.rebuilt_with_type(facts.key(op.schema, op.table_name), op.column_name)
    assert op.existing_type is not None and op.modify_type is not None
    if keeps_indexes(op.existing_type, op.modify_type):
        return rebuilt
    indexes = (f"index {quote(index.name)}" for index in facts.dependents_of(op).indexes)
    return (*rebuilt, *(index for index in indexes if index not in rebuilt))


def plan_drop_column(op: ops.DropColumnOp, facts: Facts) -> tuple[Step, ...]:
    """DROP COLUMN takes ACCESS EXCLUSIVE for a moment; PostgreSQL refuses it while a view or a policy uses it."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    users = facts.blocks_type_change(facts.key(op.schema, op.table_name), str(op.column_name))
    if not users:
        return (plain(op, strong=True),)
    reason = f"this uses the column: {', '.join(users)}. Drop or change it first: PostgreSQL may refuse"
    note = Note(DropUnderRunningCode.name, f"{op.table_name}.{op.column_name}", reason)
    return (plain(op, strong=True, notes=(note,)),)


def _refused(op: ops.AlterColumnOp, facts: Facts) -> tuple[Note, ...]:
    """Return a note if the database has objects on the column that make PostgreSQL refuse another type."""
    table = facts.key(op.schema, op.table_name)
    views = facts.droppable_views(table, op.column_name)
    users = [user for user in facts.blocks_type_change(table, op.column_name) if user not in views]
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
    reasons = obstacles(op, facts)
    return (
        f"1. add_column {column}_new of the new type, nullable; a trigger that keeps it equal to {column}",
        f"2. fill {column}_new for existing rows, in batches that commit; build its indexes CONCURRENTLY",
        f"3. in one short transaction: drop the trigger, rename {column} to {column}_old and {column}_new to {column}",
        f"4. once nothing reads it: drop {column}_old",
        *((f"Autogenerate does not write these stages because of: {'; '.join(reasons[:3])}.",) if reasons else ()),
    )


def _staged_by_hand(op: ops.AddColumnOp) -> tuple[str, ...]:
    column = op.column.name
    return (
        "For a large table, write it in stages instead:",
        f"1. add_column {column} as a plain nullable column; a trigger or the application fills it for new rows",
        "2. fill existing rows, in batches that commit",
        "3. then the constraint, default or identity itself",
    )
