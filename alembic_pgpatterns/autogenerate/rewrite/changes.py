"""The ops of a revision as changes: each op of the upgrade with the ops of the downgrade that undo it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.attached_comments import ABOVE, BELOW, attached_to
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CommentOp

Op = TypeVar("Op", bound=ops.MigrateOperation)


@dataclass(frozen=True, slots=True)
class Change:
    """One op of the upgrade, the ops that undo it, and the comments above it."""

    up: ops.MigrateOperation
    down: tuple[ops.MigrateOperation, ...] = ()
    comments: tuple[CommentOp, ...] = ()


def altered(op: Op, **values: object) -> Op:
    """Return a copy of an op with other attributes. A hook of the user may still hold the op itself."""
    new = copy.copy(op)
    for name, value in values.items():
        setattr(new, name, value)
    return new


def flatten(operations: Iterable[ops.MigrateOperation]) -> list[Change]:
    """Return the ops without Alembic's ModifyTableOps containers. Other containers stay whole."""
    changes: list[Change] = []
    comments: list[CommentOp] = []
    for op in _leaves(operations):
        if isinstance(op, CommentOp):
            comments.append(op)
            continue
        changes.append(Change(op, comments=(*comments, *attached_to(op, ABOVE))))
        comments = [*attached_to(op, BELOW)]
    if comments:
        changes.append(Change(CommentOp(), comments=tuple(comments)))
    return changes


def _leaves(operations: Iterable[ops.MigrateOperation]) -> Iterable[ops.MigrateOperation]:
    for op in operations:
        # Not a subclass: another package may need its container as a whole.
        if type(op) is ops.ModifyTableOps:
            yield from _leaves(op.ops)
        else:
            yield op


def paired(upgrade: Sequence[ops.MigrateOperation], downgrade: Sequence[ops.MigrateOperation]) -> list[Change]:
    """Return the changes of a script. A hook may have edited one list, so the two need not be each other's reverse.

    An op of the downgrade that undoes no op in particular stays with the op that it follows.
    """
    changes = flatten(upgrade)
    down = [op for op in _leaves(downgrade) if not isinstance(op, CommentOp)]
    partners = _partners([change.up for change in changes], down)
    undoing: list[list[ops.MigrateOperation]] = [[] for _ in changes]
    owner = len(changes) - 1
    for op, partner in zip(down, partners, strict=True):
        owner = owner if partner is None else partner
        if changes:
            undoing[owner].append(op)
    return [Change(c.up, tuple(d), c.comments) for c, d in zip(changes, undoing, strict=True)]


def _partners(up: Sequence[ops.MigrateOperation], down: Sequence[ops.MigrateOperation]) -> list[int | None]:
    """Return, for each op of the downgrade, the index of the op of the upgrade that it undoes."""
    if len(up) == len(down) and all(undoes(d, u) for d, u in zip(down, reversed(up), strict=True)):
        return [len(up) - 1 - position for position in range(len(down))]
    free = dict(enumerate(up))
    partners: list[int | None] = []
    for op in down:
        match = next((i for i in sorted(free, reverse=True) if undoes(op, free[i], named=True)), None)
        if match is not None:
            del free[match]
        partners.append(match)
    return partners


_UNDO: dict[type[ops.MigrateOperation], tuple[type[ops.MigrateOperation], ...]] = {
    ops.CreateTableOp: (ops.DropTableOp,),
    ops.DropTableOp: (ops.CreateTableOp,),
    ops.AddColumnOp: (ops.DropColumnOp,),
    ops.DropColumnOp: (ops.AddColumnOp,),
    ops.AlterColumnOp: (ops.AlterColumnOp,),
    ops.CreateIndexOp: (ops.DropIndexOp,),
    ops.DropIndexOp: (ops.CreateIndexOp,),
    ops.DropConstraintOp: (ops.AddConstraintOp,),
    ops.CreateTableCommentOp: (ops.CreateTableCommentOp, ops.DropTableCommentOp),
    ops.DropTableCommentOp: (ops.CreateTableCommentOp,),
}


def undoes(down: ops.MigrateOperation, up: ops.MigrateOperation, named: bool = False) -> bool:
    """Whether one op is of the kind that undoes another on the same table; ``named``: and the same object."""
    if isinstance(down, AlterTableOp) and not isinstance(up, AlterTableOp):
        return table_of(down) == table_of(up) and down.object_name is not None and down.object_name == name_of(up)
    if isinstance(up, ops.AddConstraintOp):
        kinds: tuple[type[ops.MigrateOperation], ...] = (ops.DropConstraintOp,)
    else:
        undoing_kinds = [_UNDO[base] for base in type(up).__mro__ if base in _UNDO]
        kinds = undoing_kinds[0] if undoing_kinds else _reversed_kind(up)
    if not isinstance(down, kinds) or table_of(down) != table_of(up):
        return False
    return not named or name_of(down) == name_of(up)


def _reversed_kind(up: ops.MigrateOperation) -> tuple[type[ops.MigrateOperation], ...]:
    """Ask an op of another package which kind of op undoes it."""
    try:
        reverse = up.reverse()
        # One that is undone by several ops: the first undoes it, and the others follow.
        first = reverse.ops[0] if type(reverse) is ops.ModifyTableOps and reverse.ops else reverse
        return (type(first),)
    except (NotImplementedError, ValueError, AttributeError):
        return ()


def table_of(op: ops.MigrateOperation) -> tuple[str | None, str | None]:
    """Return schema and name of the table that an op is about, as the op has them."""
    if isinstance(op, ops.CreateForeignKeyOp):
        return (op.kw.get("source_schema"), op.source_table)
    return (getattr(op, "schema", None), getattr(op, "table_name", None))


def name_of(op: ops.MigrateOperation) -> str | None:
    """Return the name of the column, index or constraint that an op is about."""
    if isinstance(op, ops.AddColumnOp):
        return str(op.column.name)
    for attribute in ("column_name", "index_name", "constraint_name", "object_name"):
        if (name := getattr(op, attribute, None)) is not None:
            return str(name)
    return None


def name_in_enum_plugin(op: ops.MigrateOperation) -> str:
    """Return the name of an op of alembic-postgresql-enum, which may not be installed; empty for any other op."""
    kind = type(op)
    return kind.__name__ if kind.__module__.partition(".")[0] == "alembic_postgresql_enum" else ""


def adds_labels(op: ops.MigrateOperation) -> bool:
    """Whether an op is that package's ``add_enum_value``, which has to commit before its label can be used."""
    return name_in_enum_plugin(op) == "AddEnumValuesOp"
