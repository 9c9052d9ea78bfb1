"""Columns of existing tables: changes that fail on rows, or read or rewrite all of them, made in stages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from alembic.operations import ops
from sqlalchemy import Computed, FetchedValue, Identity, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import Column, DefaultClause, conv

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill, to_complete
from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.constraints import validate
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.filling import ASK, FILLING, FillOp, value_for_rows
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import NOT_VALID, own_transaction, plain, repeatable
from alembic_pgpatterns.autogenerate.rewrite.rendering import FillCommentOp, InlineReferenceOp, Note, SqlOp, sql_literal
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table
from alembic_pgpatterns.patterns.revisions.blocking_not_null import BlockingNotNull
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.patterns.revisions.required_column_without_default import RequiredColumnWithoutDefault
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.patterns.revisions.unbatched_data_change import UnbatchedDataChange
from alembic_pgpatterns.patterns.revisions.validating_foreign_key import ValidatingForeignKey
from alembic_pgpatterns.remedies.naming import fit
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
        note = Note(TableRewrite.name, subject, reason, more=_staged_by_hand(op))
        return (plain(op, strong=True, notes=(note,), long=True),)
    if reason is not None:
        return _filled_later(op, Note(TableRewrite.name, subject, reason), _backfill(op, "DEFAULT"))
    if op.column.nullable or op.column.server_default is not None:
        return (_at_once(op),)
    value = value_for_rows(op.column)
    if value is not None and not isinstance(op, InlineReferenceOp) and not facts.volatile(value):
        return _with_default_for_rows(op, value)
    reason = "existing rows have no value for it: they are filled first (see the next file), and NOT NULL comes last"
    note = Note(RequiredColumnWithoutDefault.name, subject, reason)
    if not facts.autocommit:
        return (plain(op, strong=True, notes=(own_transaction(note.pattern, subject),)),)
    return _filled_later(op, note, None if value is None else _backfill(op, value, _AS_DECLARED))


_AS_DECLARED = "existing rows get the default that the model has in Python; write another value here if they need one"


def _with_default_for_rows(op: ops.AddColumnOp, value: str) -> tuple[Step, ...]:
    """Give existing rows the value by a default, which the catalog keeps for them, and take the default away.

    PostgreSQL writes no row for a default that it has to evaluate only once (docs, "ALTER TABLE", Notes).
    """
    subject = f"{op.table_name}.{op.column.name}"
    reason = f"{_AS_DECLARED}. No row is written: PostgreSQL keeps a constant default of a new column in its catalog"
    note = Note(RequiredColumnWithoutDefault.name, subject, reason)
    column = op.column._copy()
    column.server_default = DefaultClause(text(escape_binds(value)))
    add = plain(altered(op, column=column), strong=True, notes=(note,))
    loosen, restore = (
        ops.AlterColumnOp(
            op.table_name,
            op.column.name,
            schema=op.schema,
            existing_type=op.column.type,
            modify_server_default=default,
        )
        for default in (None, column.server_default)
    )
    undo = Step(0, Phase((restore,), strong=True))
    later = Phase((loosen,), strong=True, notes=(_new_code_first(op),))
    return (add, Step(0, later, undo_when_split=(undo,), contract=True))


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


VIRTUAL_COLUMNS = 18
"""First major version with generated columns that are computed when they are read (PostgreSQL 18 release notes)."""


def rewriting(op: ops.AddColumnOp, facts: Facts) -> str | None:
    """Return why adding a column rewrites the table, or None."""
    default = op.column.server_default
    if isinstance(default, Computed):
        if default.persisted is False and facts.version >= VIRTUAL_COLUMNS:
            return None
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
    fill = Step(1, backfill or _fill_in(op.schema, op.table_name, op.column.name))
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


def _fill_in(schema: str | None, table: str, column: str) -> Phase:
    """Return a commented statement to complete, because only people know the values."""
    statement = sql_literal(escape_binds(to_complete(schema, table, column)))
    lines = (
        f"{heading(schema, table, column)} Write it in place of the dots, and uncomment (UPDATE triggers fire):",
        *(f"#   {line}".rstrip() for line in f"op.execute({statement})".splitlines()),
    )
    comment = FillCommentOp(lines, todo=f"fill {table}.{column}")
    comment.fills = (schema, table)
    return Phase((comment,), autocommit=True)


def _filled(op: ops.AddColumnOp, value: str) -> str:
    return backfill(op.schema, op.table_name, op.column.name, value)


_IN_BATCHES = "each batch commits, so no row stays locked for long; the table's UPDATE triggers see every row"


def _backfill(op: ops.AddColumnOp, value: str, because: str | None = None) -> Phase:
    reason = f"{because}; {_IN_BATCHES}" if because else _IN_BATCHES
    note = Note(UnbatchedDataChange.name, f"{op.table_name}.{op.column.name}", reason, aside=True)
    return Phase((FillOp(_filled(op, value), value, (op.schema, op.table_name)),), autocommit=True, notes=(note,))


def plan_alter_column(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    """ALTER COLUMN without a new type: SET NOT NULL reads every row under ACCESS EXCLUSIVE."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
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
    """Let rows without a value get the default of new rows, before the CHECK that proves NOT NULL.

    A CHECK that is NOT VALID is checked for every row that an UPDATE touches: the filling of another column would fail
    on rows that lack this one's value too. Rows that code has written in between are filled before the validation.
    """
    default = op.existing_server_default
    value = "DEFAULT" if isinstance(default, DefaultClause) else getattr(op, FILLING, None)
    if value is None:
        return (_with_question(op, steps[0]), *steps[1:])
    if value == ASK:
        comment = Step(1, _fill_in(op.schema, op.table_name, str(op.column_name)))
        return (comment, *(replace(step, level=step.level + 2) for step in steps))
    add, validate_check, *rest = steps
    subject = f"{op.table_name}.{op.column_name}"
    reason = f"rows without a value get the column's default; a downgrade does not make them NULL again; {_IN_BATCHES}"
    again = "once more, for rows that were written before the CHECK was there"
    notes = [
        Note(UnbatchedDataChange.name, subject, reason),
        Note(UnbatchedDataChange.name, subject, again, aside=True),
    ]
    fill = FillOp(backfill(op.schema, op.table_name, str(op.column_name), value), value, (op.schema, op.table_name))
    phase = validate_check.up
    filled = replace(phase, operations=(fill, *phase.operations), notes=(notes[1], *phase.notes))
    first = Step(1, Phase((fill,), autocommit=True, notes=(notes[0],)))
    later = [add, replace(validate_check, up=filled), *rest]
    return (first, *(replace(step, level=step.level + 2) for step in later))


def _with_question(op: ops.AlterColumnOp, first: Step) -> Step:
    """Say above the CHECK that rows without a value stop it. Only people know whether there are any."""
    name = str(op.column_name)
    schema = f", schema={op.schema!r}" if op.schema else ""
    # Not here: what locks the table must not work long, and batches commit.
    fill = f"op.backfill({op.table_name!r}, {{{name!r}: sa.text('...')}}, {f'{quote(name)} IS NULL'!r}{schema})"
    advice = "rows where it is NULL make it fail"
    more = (
        f"{advice[0].upper()}{advice[1:]}. If there may be some, fill them in a revision before this one:",
        f"  {fill}",
        "It commits after each batch. The table's UPDATE triggers see every row.",
    )
    notes = tuple(replace(note, warns=True, more=more, advice=advice) for note in first.up.notes)
    return replace(first, up=replace(first.up, notes=notes))


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


def plan_drop_column(op: ops.DropColumnOp, facts: Facts) -> tuple[Step, ...]:
    """DROP COLUMN takes ACCESS EXCLUSIVE for a moment; PostgreSQL refuses it while a view or a policy uses it."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    users = facts.blocks_type_change(facts.key(op.schema, op.table_name), str(op.column_name))
    if not users:
        return (plain(op, strong=True),)
    reason = f"this uses the column: {', '.join(users)}. Drop or change it first: PostgreSQL may refuse"
    note = Note(DropUnderRunningCode.name, f"{op.table_name}.{op.column_name}", reason, warns=True)
    return (plain(op, strong=True, notes=(note,)),)


def _staged_by_hand(op: ops.AddColumnOp) -> tuple[str, ...]:
    column = op.column.name
    return (
        "For a large table, write it in stages instead:",
        f"1. add_column {column} as a plain nullable column; a trigger or the application fills it for new rows",
        "2. fill existing rows, in batches that commit",
        f"3. {_stays_plain(column)}" if op.column.computed is not None else "3. then the default or identity itself",
    )


def _stays_plain(column: Any) -> str:
    # PostgreSQL has DROP EXPRESSION, and nothing for the other way.
    return (
        f"a plain column cannot become a generated one: {column} stays plain, and the trigger stays. Write it in the "
        "model with server_default=FetchedValue() and server_onupdate=FetchedValue() in place of Computed()"
    )
