"""Columns of existing tables: what fails on rows, reads them all, or writes them anew, taken in stages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import Computed, FetchedValue, Identity, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import Column, DefaultClause, conv

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill
from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.column_swap import can_swap, plan_swap, small_table
from alembic_pgpatterns.autogenerate.rewrite.constraints import NOT_VALID, validate
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.indexes import alter_table, own_transaction, plain, repeatable
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, InlineReferenceOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Piece, Step
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import rewrites, type_text
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.remedies.operations import read_in_utc
from alembic_pgpatterns.schema.names import quote, stored

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def plan_add_column(op: ops.AddColumnOp, facts: Facts) -> tuple[Step, ...]:
    """ADD COLUMN is a moment's ACCESS EXCLUSIVE, unless it writes the table anew or its rows cannot fulfil it."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    subject = f"{op.table_name}.{op.column.name}"
    why = rewriting(op, facts)
    if why is not None and not (isinstance(op.column.server_default, DefaultClause) and _can_stage(op, facts)):
        return (plain(op, strong=True, notes=(Note("table-rewrite", subject, why, more=_staged_by_hand(op)),)),)
    if why is not None:
        return _filled_later(op, Note("table-rewrite", subject, why), _backfill(op))
    if op.column.nullable or op.column.server_default is not None:
        return (_at_once(op),)
    why = "rows that exist have no value for it: they are filled in first (see the next file), and NOT NULL comes last"
    note = Note("required-column-without-default", subject, why)
    if not facts.autocommit:
        return (plain(op, strong=True, notes=(own_transaction(note.pattern, subject),)),)
    return _filled_later(op, note, None)


def _at_once(op: ops.AddColumnOp) -> Step:
    step = plain(op, strong=True)
    if not isinstance(op, InlineReferenceOp):
        return step
    return replace(step, up=replace(step.up, operations=(op, *_renamed(op)), notes=(_inline_note(op),)))


def _inline_note(op: InlineReferenceOp) -> Note:
    why = "its foreign key comes with the new column, where every row is NULL and none has to be read"
    return Note("validating-foreign-key", f"{op.table_name}.{op.column.name}", why)


def _renamed(op: InlineReferenceOp) -> tuple[ops.MigrateOperation, ...]:
    name = op.reference.name
    if name is None or stored(name) == op.named:
        return ()
    rename = f"{alter_table(op.schema, op.table_name)} RENAME CONSTRAINT {quote(op.named)} TO {quote(stored(name))}"
    return (SqlOp(rename),)


def rewriting(op: ops.AddColumnOp, facts: Facts) -> str | None:
    """Why adding a column writes the table anew, or None."""
    default = op.column.server_default
    if isinstance(default, Computed):
        return "a stored generated column is computed for every row, under a lock that stops readers and writers"
    if isinstance(default, Identity):
        return "an identity column is numbered in every row, under a lock that stops readers and writers"
    if isinstance(op.column.type, postgresql.DOMAIN) and (op.column.type.check is not None or op.column.type.not_null):
        return "a column of a domain with a constraint is written to every row; a CHECK on the column is not"
    expression = default_text(default)
    if expression is not None and facts.volatile(expression):
        return f"{expression} is evaluated for every row, under a lock that stops readers and writers"
    return None


def default_text(default: FetchedValue | None) -> str | None:
    """A server default as SQL; None where there is none, or none that is known here."""
    if not isinstance(default, DefaultClause):
        return None
    if isinstance(default.arg, str):
        return "'" + default.arg.replace("'", "''") + "'"
    return str(default.arg.compile(dialect=_dialect, compile_kwargs={"literal_binds": True}))


def _can_stage(op: ops.AddColumnOp, facts: Facts) -> bool:
    return facts.autocommit and not facts.is_partitioned(op.schema, op.table_name)


def _filled_later(op: ops.AddColumnOp, note: Note, backfill: Piece | None) -> tuple[Step, ...]:
    """The column nullable, its default for new rows, the rows that exist, and only then NOT NULL."""
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
    again = (*(repeatable(first[0]) or ()), *first[1:])
    add = Step(0, Piece(tuple(first), strong=True, again=again, notes=notes), main=True)
    fill = Step(1, backfill or _fill_in(op))
    if op.column.nullable:
        return (add, fill)
    return (add, fill, *_not_null(op.schema, op.table_name, op.column.name, op.column.type, 2, undone=False))


def _loose(column: Column[Any]) -> Column[Any]:
    return Column(column.name, column.type, nullable=True, comment=column.comment)


def _fill_in(op: ops.AddColumnOp) -> Piece:
    """Where only people know the values: a statement for them to complete."""
    lines = (
        f"# Rows that exist need a value in {op.column.name} before NOT NULL. Batches of pages keep locks short:",
        *(f"#   {line}".rstrip() for line in _filled(op, "...").splitlines()),
    )
    return Piece((CommentOp(lines),), autocommit=True)


def _filled(op: ops.AddColumnOp, value: str) -> str:
    return backfill(op.schema, op.table_name, op.column.name, value)


def _backfill(op: ops.AddColumnOp) -> Piece:
    why = "each batch commits, so no row stays locked for long; the table's UPDATE triggers see every row"
    note = Note("unbatched-data-change", f"{op.table_name}.{op.column.name}", why, aside=True)
    return Piece((SqlOp(_filled(op, "DEFAULT")),), autocommit=True, notes=(note,))


def plan_alter_column(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    """ALTER COLUMN: SET NOT NULL and most changes of type read or write every row under ACCESS EXCLUSIVE."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    if op.modify_type is not None:
        return _type_change(op, facts)
    if op.modify_nullable is False and _only_nullable(op):
        subject = f"{op.table_name}.{op.column_name}"
        if not facts.autocommit:
            return (plain(op, strong=True, notes=(own_transaction("blocking-not-null", subject),)),)
        return _not_null(op.schema, op.table_name, op.column_name, op.existing_type, 0, whole=op)
    only_comment = op.modify_nullable is None and op.modify_server_default is False
    return (plain(op, strong=not only_comment),)


def _only_nullable(op: ops.AlterColumnOp) -> bool:
    return op.modify_server_default is False and op.modify_comment is False and op.modify_name is None


def _not_null(
    schema: str | None,
    table: str,
    column: str,
    kind: Any,
    level: int,
    whole: ops.AlterColumnOp | None = None,
    undone: bool = True,
) -> tuple[Step, ...]:
    """A CHECK that is validated first: SET NOT NULL then believes it and reads no row (PostgreSQL 12).

    Args:
        schema: of the table, or None.
        table: its name.
        column: the column's name.
        kind: the column's type, for Alembic's ``existing_type``.
        level: of the first step.
        whole: the op that sets NOT NULL, where there is one already.
        undone: whether the downgrade makes the column nullable; not where it drops it.
    """
    subject = f"{table}.{column}"
    # conv: a naming convention for checks must not make another name of it.
    name = conv(fit(f"{table}_{column}_not_null_check"))
    check = ops.CreateCheckConstraintOp(name, table, text(f"{quote(column)} IS NOT NULL"), schema=schema)
    staged = altered(check, kw={NOT_VALID: True})
    drop = ops.DropConstraintOp(name, table, "check", schema=schema, if_exists=True)
    why = "by way of a CHECK, since SET NOT NULL alone would stop every reader and writer while it reads every row"
    first = Piece((staged,), strong=True, again=(drop, staged), notes=(Note("blocking-not-null", subject, why),))
    strict = whole or ops.AlterColumnOp(table, column, schema=schema, existing_type=kind, modify_nullable=False)
    loosen = ops.AlterColumnOp(table, column, schema=schema, existing_type=kind, modify_nullable=True)
    proven = Note("blocking-not-null", subject, "the CHECK proves it, and no row is read", aside=True)
    last = Piece((strict, altered(drop, if_exists=None)), strong=True, again=(strict, drop), notes=(proven,))
    gone = Step(0, Piece((drop,), strong=True))
    # Only where the steps lie in several files does a downgrade stop between them.
    back = (Step(0, first), *(() if undone else (Step(0, Piece((loosen,), strong=True)),)))
    return (
        Step(level, first, apart=(gone,)),
        Step(level + 1, validate(check)),
        Step(level + 2, last, apart=back, main=undone),
    )


def _type_change(op: ops.AlterColumnOp, facts: Facts) -> tuple[Step, ...]:
    subject, old, new = f"{op.table_name}.{op.column_name}", op.existing_type, op.modify_type
    refused = _refused(op, facts)
    if old is not None and new is not None and not rewrites(old, new, facts.utc or read_in_utc(op)):
        rebuilt = facts.dependents(facts.key(op.schema, op.table_name), op.column_name)
        if not rebuilt:
            return (plain(op, strong=True, notes=refused),)
        why = f"no row is written anew, but these are built or verified again under the lock: {', '.join(rebuilt)}"
        return (plain(op, strong=True, notes=(Note("rebuilt-dependents", subject, why), *refused)),)
    spelled = [type_text(kind) if kind is not None else "another type" for kind in (old, new)]
    cost = f"from {spelled[0]} to {spelled[1]} every row is written anew while nobody can read or write"
    if can_swap(op, facts):
        why = f"by way of a second column, since {cost}"
        return plan_swap(op, Note("table-rewrite", subject, why, more=small_table(op)), facts)
    why = f"{cost}. On a large table take this out and write it in stages, each its own revision:"
    return (plain(op, strong=True, notes=(Note("table-rewrite", subject, why, more=_swap(op, facts)), *refused)),)


def _refused(op: ops.AlterColumnOp, facts: Facts) -> tuple[Note, ...]:
    """What nobody can tell from models: the database has something on the column that no type change gets past."""
    users = facts.refusing(facts.key(op.schema, op.table_name), op.column_name)
    if not users:
        return ()
    why = (
        f"PostgreSQL refuses another type while this uses the column: {', '.join(users)}. Drop it before, and create "
        "it again after; or leave the column as it is, by `info` in the model or a line in the baseline"
    )
    return (Note("refused-type-change", f"{op.table_name}.{op.column_name}", why),)


def _swap(op: ops.AlterColumnOp, facts: Facts) -> tuple[str, ...]:
    column = op.column_name
    held = facts.entangled(facts.key(op.schema, op.table_name), column)
    return (
        f"1. add_column {column}_new of the new type, nullable; a trigger that keeps it equal to {column}",
        f"2. fill {column}_new for the rows that exist, in batches that commit; build its indexes CONCURRENTLY",
        f"3. in one short transaction: drop the trigger, rename {column} to {column}_old and {column}_new to {column}",
        f"4. once nothing reads it: drop {column}_old",
        *((f"It is not written so here because of {'; '.join(held[:3])}.",) if held else ()),
    )


def _staged_by_hand(op: ops.AddColumnOp) -> tuple[str, ...]:
    column = op.column.name
    return (
        "On a large table write it in stages instead:",
        f"1. add_column {column} nullable and without it; a trigger or the application fills it for new rows",
        "2. fill the rows that exist, in batches that commit",
        "3. then the constraint, default or identity itself",
    )


def column_back(op: ops.AddColumnOp, facts: Facts) -> tuple[Step, ...]:
    """A required column that a downgrade brings back: its values are gone, and the file says so."""
    if facts.is_new(op.schema, op.table_name):
        return (plain(op),)
    why = "the dropped values are gone, so where the table has rows this fails until it is given a server_default"
    note = Note("required-column-without-default", f"{op.table_name}.{op.column.name}", why)
    return (plain(op, strong=True, notes=(note,)),)
