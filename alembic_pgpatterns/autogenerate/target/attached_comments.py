"""Comments attached to the ops they belong to, so that a user's hook does not lose them.

Hooks that people write drop containers that hold nothing, which a comment among the ops is. ``op.info`` is no place for
them: a CreateTableOp's is the application's.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp

ABOVE, BELOW = "_pgpatterns_above", "_pgpatterns_below"


def attached(operations: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """The ops without the comments between them, which are attached to their neighbours; alone they stay."""
    found: list[ops.MigrateOperation] = []
    waiting: list[CommentOp] = []
    for op in operations:
        if isinstance(op, CommentOp):
            waiting.append(op)
            continue
        if isinstance(op, ops.ModifyTableOps):
            op.ops = attached([*waiting, *op.ops])
        else:
            setattr(op, ABOVE, (*waiting, *comments(op, ABOVE)))
        waiting = []
        found.append(op)
    last = _last(found)
    if last is None:
        return [*found, *waiting]
    setattr(last, BELOW, (*comments(last, BELOW), *waiting))
    return found


def _last(operations: Sequence[ops.MigrateOperation]) -> ops.MigrateOperation | None:
    if not operations:
        return None
    last = operations[-1]
    return (_last(last.ops) or last) if isinstance(last, ops.ModifyTableOps) else last


def comments(op: ops.MigrateOperation, where: str) -> tuple[CommentOp, ...]:
    """The comments attached to an op, `ABOVE` or `BELOW` it."""
    return tuple(getattr(op, where, ()))
