"""Attach comments to the ops they belong to, so that a user's hook does not lose them.

Many hooks drop empty containers, and a comment among the ops is one. ``op.info`` cannot hold them: for a CreateTableOp
it is the application's own ``info``.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp

ABOVE, BELOW = "_pgpatterns_above", "_pgpatterns_below"


def attached(operations: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Return the ops with each comment attached to its neighbour. Comments without any op stay as they are."""
    result: list[ops.MigrateOperation] = []
    waiting: list[CommentOp] = []
    for op in operations:
        if isinstance(op, CommentOp):
            waiting.append(op)
            continue
        if isinstance(op, ops.ModifyTableOps):
            op.ops = attached([*waiting, *op.ops])
        else:
            setattr(op, ABOVE, (*waiting, *attached_to(op, ABOVE)))
        waiting = []
        result.append(op)
    last = _last(result)
    if last is None:
        return [*result, *waiting]
    setattr(last, BELOW, (*attached_to(last, BELOW), *waiting))
    return result


def _last(operations: Sequence[ops.MigrateOperation]) -> ops.MigrateOperation | None:
    if not operations:
        return None
    last = operations[-1]
    return (_last(last.ops) or last) if isinstance(last, ops.ModifyTableOps) else last


def attached_to(op: ops.MigrateOperation, where: str) -> tuple[CommentOp, ...]:
    """Return the comments attached `ABOVE` or `BELOW` an op."""
    return tuple(getattr(op, where, ()))
