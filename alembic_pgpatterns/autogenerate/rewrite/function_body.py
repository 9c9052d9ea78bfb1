"""Steps in their order as the body of ``upgrade()`` or ``downgrade()``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import AutocommitOp, CommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Piece, Step

_WHY_TIMEOUT = "rather give up and run again than wait: everybody else queues behind a lock that waits"
_WHY_ATTEMPTS = "several short attempts, since everybody else queues behind a lock that waits"
_TIMEOUTS = ("lock_timeout", "statement_timeout")


def body(steps: Sequence[Step], facts: Facts) -> list[ops.MigrateOperation]:
    """The ops of a function: transactional steps under a lock_timeout, the others in autocommit blocks."""
    pieces = [step.up for step in steps if step.up.operations]
    last_autocommit = max((i for i, piece in enumerate(pieces) if piece.autocommit), default=-1)
    result: list[ops.MigrateOperation] = []
    position = 0
    for (autocommit, alone), group in groupby(pieces, key=lambda piece: (piece.autocommit, _leaves(piece))):
        members = list(group)
        position += len(members)
        if alone:
            result.extend(_alone(members, facts))
        elif autocommit:
            result.extend(_block(members, facts))
        elif facts.settings.directives:
            result.extend(_in_attempts(members, facts, committed_early=position <= last_autocommit))
        else:
            result.extend(_transaction(members, facts, committed_early=position <= last_autocommit))
    return result


def _leaves(piece: Piece) -> bool:
    """Whether its directives leave the transaction by themselves."""
    return piece.autocommit and piece.directive


def _alone(pieces: Sequence[Piece], facts: Facts) -> list[ops.MigrateOperation]:
    """Directives that see to their own transactions; the timeout for their strong locks is the session's."""
    inner = _written(pieces, committed_early=False)
    timeout = facts.settings.lock_timeout
    if not any(piece.strong for piece in pieces) or facts.limited or not timeout:
        return inner
    limit = SqlOp(f"SET lock_timeout = {_literal(timeout)}")
    return [CommentOp.of(_patience(timeout)), limit, *inner, SqlOp(_restored("lock_timeout", facts))]


def _in_attempts(pieces: Sequence[Piece], facts: Facts, committed_early: bool) -> list[ops.MigrateOperation]:
    """What takes strong locks as ``op.lock_attempts``, each run of it by itself."""
    from alembic_pgpatterns.operations.lock_attempts import LockAttemptsOp

    timeout = facts.settings.lock_timeout
    result: list[ops.MigrateOperation] = []
    for strong, group in groupby(pieces, key=lambda piece: piece.strong):
        inner = _written(list(group), committed_early)
        if strong and timeout and not facts.limited:
            note = _patience(timeout, _WHY_ATTEMPTS)
            result.extend((CommentOp.of(note), LockAttemptsOp(timeout, _ops=inner)))
        else:
            result.extend(inner)
    return result


def _written(pieces: Sequence[Piece], committed_early: bool) -> list[ops.MigrateOperation]:
    inner: list[ops.MigrateOperation] = []
    for piece in pieces:
        again = piece.again if committed_early and piece.again is not None else piece.operations
        inner.extend((*_comments(piece), *again))
    return inner


def _patience(timeout: str, why: str = _WHY_TIMEOUT) -> Note:
    return Note("missing-lock-timeout", f"{timeout} for the locks on existing tables", why)


def _block(pieces: Sequence[Piece], facts: Facts) -> list[ops.MigrateOperation]:
    inner = [op for piece in pieces for op in (*_comments(piece), *piece.operations)]
    if all(isinstance(op, CommentOp) for op in inner):
        return inner
    note = Note("timeout-kills-concurrent-build", "autocommit block", _PATIENT, aside=True)
    off = [SqlOp(f"SET {name} = 0") for name in _TIMEOUTS]
    back = [SqlOp(_restored(name, facts)) for name in _TIMEOUTS]
    return [AutocommitOp([CommentOp(note.comment()), *off, *inner, *back])]


_PATIENT = "no timeouts, since what runs here waits for old transactions and stops nobody"


def _restored(name: str, facts: Facts) -> str:
    """What env.py set for its session comes back by its value: RESET would forget it."""
    return f"SET {name} = {_literal(facts.session[name])}" if name in facts.session else f"RESET {name}"


def _transaction(pieces: Sequence[Piece], facts: Facts, committed_early: bool) -> list[ops.MigrateOperation]:
    inner = _written(pieces, committed_early)
    timeout = facts.settings.lock_timeout
    if not any(piece.strong for piece in pieces) or facts.limited or not timeout:
        return inner
    limit = [CommentOp.of(_patience(timeout)), SqlOp(f"SET LOCAL lock_timeout = {_literal(timeout)}")]
    # An autocommit block commits, which ends SET LOCAL; otherwise it would reach into the next revision, which
    # shares the transaction unless env.py sets transaction_per_migration.
    before = _literal(facts.session["lock_timeout"]) if "lock_timeout" in facts.session else "DEFAULT"
    end = [] if committed_early else [SqlOp(f"SET LOCAL lock_timeout = {before}")]
    return [*limit, *inner, *end]


def _comments(piece: Piece) -> Iterable[CommentOp]:
    yield from piece.above
    for note in piece.notes:
        yield CommentOp.of(note)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def in_batches(operations: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Ops as ``render_as_batch`` wants them: what is untouched by the road grouped by its table again."""
    result: list[ops.MigrateOperation] = []
    for key, group in groupby(operations, key=_batch_key):
        members = list(group)
        result.extend(members if key is None else [ops.ModifyTableOps(key[1], members, schema=key[0])])
    return result


_BATCHED = (
    ops.AddColumnOp,
    ops.DropColumnOp,
    ops.AlterColumnOp,
    ops.CreateIndexOp,
    ops.DropIndexOp,
    ops.DropConstraintOp,
    ops.CreateUniqueConstraintOp,
    ops.CreateForeignKeyOp,
)


def _batch_key(op: ops.MigrateOperation) -> tuple[str | None, str] | None:
    from alembic_pgpatterns.autogenerate.rewrite.changes import table_of

    if type(op) not in _BATCHED or getattr(op, "if_exists", None) or getattr(op, "if_not_exists", None):
        return None
    schema, table = table_of(op)
    return (schema, str(table))
