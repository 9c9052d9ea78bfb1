"""Split an op that the rewriter needs as two, and join two that it needs as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES
from alembic_pgpatterns.autogenerate.rewrite.changes import Change, altered, table_of
from alembic_pgpatterns.autogenerate.rewrite.columns import default_text, rewriting
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.default_names import Names
from alembic_pgpatterns.autogenerate.rewrite.rendering import InlineReferenceOp


def with_split_alters(changes: Sequence[Change]) -> list[Change]:
    """Split SET NOT NULL off the rest of an alter_column, because it is made in stages."""
    return [part for change in changes for part in _split(change)]


def _split(change: Change) -> tuple[Change, ...]:
    op = change.up
    # DROP NOT NULL reads no rows, so it can stay with the rest.
    if not isinstance(op, ops.AlterColumnOp) or op.modify_nullable is not False:
        return (change,)
    others = altered(op, modify_nullable=None)
    if not others.has_changes():
        return (change,)
    strict = altered(
        op,
        modify_type=None,
        modify_server_default=False,
        modify_comment=False,
        existing_type=op.existing_type if op.modify_type is None else op.modify_type,
        existing_server_default=_default_by_then(op),
    )
    undo_others, undo_strict = _split_undo(change.down)
    return (replace(change, up=others, down=undo_others), Change(strict, undo_strict))


def _default_by_then(op: ops.AlterColumnOp) -> Any:
    return op.existing_server_default if op.modify_server_default is False else op.modify_server_default


def _split_undo(
    down: tuple[ops.MigrateOperation, ...],
) -> tuple[tuple[ops.MigrateOperation, ...], tuple[ops.MigrateOperation, ...]]:
    others: list[ops.MigrateOperation] = []
    loosen: list[ops.MigrateOperation] = []
    for op in down:
        if isinstance(op, ops.AlterColumnOp) and op.modify_nullable is True:
            # NOT NULL has been dropped by then.
            others.append(altered(op, modify_nullable=None, existing_nullable=True))
            loosen.append(altered(op, modify_type=None, modify_server_default=False, modify_comment=False))
        else:
            others.append(op)
    return tuple(others), tuple(loosen)


def with_inline_references(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Join a new column and its foreign key: every row is NULL, so PostgreSQL checks none."""
    if not HAS_INLINE_REFERENCES:
        return list(changes)
    references = {
        id(reference): change for change in changes if (reference := _reference(change, changes, facts)) is not None
    }
    result: list[Change] = []
    for change in changes:
        if id(change) in references:
            continue
        reference = _reference(change, changes, facts)
        result.append(change if reference is None else _inlined(change, reference, facts))
    return result


def _reference(change: Change, changes: Sequence[Change], facts: Facts) -> Change | None:
    """Return the foreign key that can go into an add_column, or None."""
    op = change.up
    if not isinstance(op, ops.AddColumnOp) or facts.is_new(op.schema, op.table_name) or not _starts_null(op, facts):
        return None
    keys = [other for other in changes if _is_key_of(other.up, op)]
    return keys[0] if len(keys) == 1 and not _waits(keys[0].up, changes, facts) else None


def _waits(key: ops.MigrateOperation, changes: Sequence[Change], facts: Facts) -> bool:
    """Whether the columns that a foreign key references become unique in the same revision."""
    assert isinstance(key, ops.CreateForeignKeyOp)
    target = facts.key(key.kw.get("referent_schema"), key.referent_table)
    kinds = (ops.CreateUniqueConstraintOp, ops.CreatePrimaryKeyOp)
    return any(
        facts.key_of(other.up) == target
        for other in changes
        if isinstance(other.up, kinds) or (isinstance(other.up, ops.CreateIndexOp) and other.up.unique)
    )


def _starts_null(op: ops.AddColumnOp, facts: Facts) -> bool:
    """Whether the column is NULL in existing rows after ADD COLUMN."""
    default = op.column.server_default
    if default is None:
        return facts.autocommit or bool(op.column.nullable)
    return default_text(default) is not None and rewriting(op, facts) is not None and facts.autocommit


def _is_key_of(op: ops.MigrateOperation, add: ops.AddColumnOp) -> bool:
    return (
        isinstance(op, ops.CreateForeignKeyOp)
        and table_of(op) == table_of(add)
        and list(op.local_cols) == [add.column.name]
    )


def _inlined(change: Change, key: Change, facts: Facts) -> Change:
    op, create = change.up, key.up
    assert isinstance(op, ops.AddColumnOp) and isinstance(create, ops.CreateForeignKeyOp)
    named = Names(facts).free(op.schema, op.table_name, op.column.name, "fkey")
    inline = InlineReferenceOp(op, create.to_constraint(), named)
    # Dropping the column drops its foreign key.
    return replace(change, up=inline, comments=(*change.comments, *key.comments))
