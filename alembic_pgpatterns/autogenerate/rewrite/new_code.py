"""In phases, what new code cannot satisfy must not wait for the contract: it runs from the end of expand on.

A column that the contract drops is one that new code does not write. Until then it may be NULL, or has a default where
it belongs to the primary key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from alembic.operations import ops
from sqlalchemy import text
from sqlalchemy.schema import DefaultClause

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, altered
from alembic_pgpatterns.autogenerate.rewrite.column_back import fits
from alembic_pgpatterns.autogenerate.rewrite.columns import default_text
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts, TableKey
from alembic_pgpatterns.autogenerate.rewrite.enum_ops import InPhases, NewEnumOp
from alembic_pgpatterns.autogenerate.rewrite.filling import FILLING, stand_in
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.steps import source_of
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.patterns.revisions.required_column_without_default import RequiredColumnWithoutDefault
from alembic_pgpatterns.schema.sql.binds import escape_binds

PHASE = "_pgpatterns_phase"
"""The attribute of an op that says ``expand`` or ``contract`` where its kind does not."""

Column = tuple[str, str, str]
"""Schema, table and name."""


class _Loss(NamedTuple):
    """What of the columns that a revision drops concerns the rows of new code."""

    columns: frozenset[Column]
    keys: Mapping[TableKey, tuple[str, ...]]
    """The columns of each primary key that the revision drops."""
    values: Mapping[Column, str]
    """What rows of new code get in a column of a primary key."""
    facts: Facts

    def keeps_key(self, table: TableKey) -> bool:
        """Whether the primary key can stay until the contract: what is left of it tells rows apart."""
        lost = [column for column in self.keys.get(table, ()) if (*table, column) in self.columns]
        return len(lost) < len(self.keys.get(table, ())) and all((*table, column) in self.values for column in lost)


def with_room_for_new_code(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Put a change before each one that waits, so that the rows of new code are accepted until then.

    Args:
        changes: of the revision, before they are planned.
        facts: the facts of the run.
    """
    loss = _lost(changes, facts)
    return [part for change in changes for part in _with_room(change, loss)]


def _lost(changes: Sequence[Change], facts: Facts) -> _Loss:
    drops = [
        c.up for c in changes if isinstance(c.up, ops.DropColumnOp) and not facts.is_new(c.up.schema, c.up.table_name)
    ]
    keys = {
        facts.key_of(c.up): tuple(str(column) for column in source_of(c.up).columns)
        for c in changes
        if isinstance(c.up, ops.DropConstraintOp) and isinstance(source_of(c.up), ops.CreatePrimaryKeyOp)
    }
    values = {(*facts.key_of(op), str(op.column_name)): _value(op, facts) for op in drops}
    return _Loss(frozenset(values), keys, {place: value for place, value in values.items() if value is not None}, facts)


def _value(op: ops.DropColumnOp, facts: Facts) -> str | None:
    """The value that all rows of new code may get in a column. What must be unique is not looked at."""
    add = op._reverse
    value = default_text(add.column.server_default) or stand_in(add.column) if add is not None else None
    dependents = facts.dependents(facts.key_of(op), str(op.column_name))
    if add is None or value is None or any(key.referencing for key in dependents.foreign_keys):
        return None
    row = (str(op.column_name), type_text(add.column.type), value)
    return value if all(facts.holds(check.definition, *row) for check in dependents.checks) else None


def _with_room(change: Change, loss: _Loss) -> tuple[Change, ...]:
    op, facts = change.up, loss.facts
    if isinstance(op, ops.AlterColumnOp) and op.modify_nullable is True and op.modify_type is not None:
        return _nullable_first(change, op)
    if isinstance(op, ops.DropColumnOp) and not facts.is_new(op.schema, op.table_name):
        return _before_drop(change, op, loss)
    if isinstance(op, ops.DropConstraintOp | ops.DropIndexOp) and _refuses(op, loss):
        return (replace(change, up=_in_phase(op, "expand")),)
    if isinstance(op, NewEnumOp) and op.in_phases is not None:
        return _labels_first(change, op.in_phases)
    if isinstance(op, ops.CreatePrimaryKeyOp) and _replaces(op, loss):
        return (replace(change, up=_in_phase(op, "contract")),)
    return (change,)


def _labels_first(change: Change, phases: InPhases) -> tuple[Change, ...]:
    """New code may write the new labels before the old ones go, which old code may still write."""
    added = (Change(op, (op.back,) if op.back is not None else ()) for op in phases.added)
    down = tuple(phases.removed.reverse() if isinstance(op, NewEnumOp) else op for op in change.down)
    return (*added, replace(change, up=phases.removed, down=down))


def _in_phase(op: ops.MigrateOperation, phase: str) -> ops.MigrateOperation:
    return altered(op, **{PHASE: phase})


def _refuses(op: ops.DropConstraintOp | ops.DropIndexOp, loss: _Loss) -> bool:
    """Whether what an op drops may refuse rows that leave the dropped columns out, or a DELETE of new code."""
    source = source_of(op)
    if isinstance(source, ops.CreateCheckConstraintOp | ops.CreateForeignKeyOp):
        return True
    if isinstance(source, ops.CreatePrimaryKeyOp):
        return not loss.keeps_key(loss.facts.key_of(op))
    # Other unique constraints and indexes, and exclusions, take any number of rows with NULL.
    return bool(getattr(source, "kw", {}).get("postgresql_nulls_not_distinct"))


def _replaces(op: ops.CreatePrimaryKeyOp, loss: _Loss) -> bool:
    """Whether old code, which knows the key with a dropped column, may write duplicates for this key."""
    table = loss.facts.key_of(op)
    return any((*table, column) in loss.columns for column in loss.keys.get(table, ()))


def _before_drop(change: Change, op: ops.DropColumnOp, loss: _Loss) -> tuple[Change, ...]:
    add, table = op._reverse, loss.facts.key_of(op)
    if add is None or add.column.nullable or add.column.server_default is not None:
        return (change,)
    place = (*table, str(op.column_name))
    in_key = any(index.key == "p" for index in loss.facts.dependents(table, place[2]).indexes)
    if in_key and loss.keeps_key(table):
        return _with_default(change, add, loss.values[place])
    if in_key and table not in loss.keys:
        # The key goes with the column, which PostgreSQL keeps NOT NULL until then.
        return (change,)
    return _optional(change, add, loss.facts)


def _nullable_first(change: Change, op: ops.AlterColumnOp) -> tuple[Change, ...]:
    """DROP NOT NULL before a new type, which may have to wait for old code to end."""
    loosen = altered(op, modify_type=None, modify_server_default=False, modify_comment=False, modify_name=None)
    tighten = altered(loosen, modify_nullable=False, existing_nullable=True)
    rest = altered(op, modify_nullable=None, existing_nullable=True)
    back = tuple(
        altered(down, modify_nullable=None, existing_nullable=True) if isinstance(down, ops.AlterColumnOp) else down
        for down in change.down
    )
    return (Change(loosen, (tighten,)), replace(change, up=rest, down=back))


def _optional(change: Change, add: ops.AddColumnOp, facts: Facts) -> tuple[Change, ...]:
    """The column may be NULL until it is dropped. A downgrade fills it where a value is obvious."""
    loosen = _alter(add, modify_nullable=True, existing_nullable=False)
    tighten = _alter(add, modify_nullable=False, existing_nullable=True)
    value = stand_in(add.column)
    if value is not None and fits(add, value, facts):
        setattr(tighten, FILLING, value)
    reason = (
        "new code writes no value for it, so it may be NULL until the contract drops it: old code must be able to "
        "read rows without a value"
    )
    return (_with_note(add, reason, Change(loosen, (tighten,))), _restoring(change, nullable=True))


def _with_default(change: Change, add: ops.AddColumnOp, value: str) -> tuple[Change, ...]:
    """A part of the primary key cannot be NULL, so rows of new code get a value until it is dropped."""
    default = DefaultClause(text(escape_binds(value)))
    give = _alter(add, modify_server_default=default, existing_nullable=False)
    take = _alter(add, modify_server_default=None, existing_server_default=default, existing_nullable=False)
    reason = (
        f"new code writes no value for it, and it belongs to the primary key: its rows get {value} until the contract "
        "drops it, and old code must be able to read that"
    )
    return (_with_note(add, reason, Change(give, (take,))), _restoring(change, server_default=default))


def _alter(add: ops.AddColumnOp, **values: Any) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(
        add.table_name, add.column.name, schema=add.schema, existing_type=add.column.type, **values
    )


def _with_note(add: ops.AddColumnOp, reason: str, change: Change) -> Change:
    note = Note(RequiredColumnWithoutDefault.name, f"{add.table_name}.{add.column.name}", reason)
    return replace(change, comments=(CommentOp.of(note),))


def _restoring(change: Change, **values: Any) -> Change:
    """The drop, whose downgrade brings the column back as expand has left it."""
    return replace(change, down=tuple(_as_left(op, **values) for op in change.down))


def _as_left(op: ops.MigrateOperation, **values: Any) -> ops.MigrateOperation:
    if not isinstance(op, ops.AddColumnOp):
        return op
    column = op.column._copy()
    for name, value in values.items():
        setattr(column, name, value)
    return altered(op, column=column)
