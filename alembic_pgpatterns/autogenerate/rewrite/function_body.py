"""Write steps as the body of ``upgrade()`` or ``downgrade()``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.lock_block import ATTEMPTS, in_order, lock_block
from alembic_pgpatterns.autogenerate.rewrite.locked_tables import closed_tables, referenced_tables
from alembic_pgpatterns.autogenerate.rewrite.rendering import AutocommitOp, CommentOp, FillCommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.patterns.revisions.missing_lock_timeout import MissingLockTimeout
from alembic_pgpatterns.patterns.revisions.timeout_kills_concurrent_build import TimeoutKillsConcurrentBuild

_WHY_TIMEOUT = "fail and run again rather than wait: everybody else queues behind a waiting lock"
_WHY_ATTEMPTS = "several short attempts, because everybody else queues behind a waiting lock"
_TIMEOUTS = ("lock_timeout", "statement_timeout")
SEVERAL = 3
"""Tables. One that is locked before two others may be closed for twice lock_timeout, one before one other for once."""


def body(steps: Sequence[Step], facts: Facts) -> list[ops.MigrateOperation]:
    """Return the ops of a function: transactional phases under a lock_timeout, the others in autocommit blocks."""
    phases = [step.up for step in steps if step.up.operations]
    last_autocommit = max((i for i, phase in enumerate(phases) if phase.autocommit), default=-1)
    result: list[ops.MigrateOperation] = []
    position = 0
    for (autocommit, alone, strong), group in groupby(phases, key=_way):
        members = list(group)
        position += len(members)
        if alone:
            result.extend(_alone(members, facts))
        elif strong:
            result.append(AutocommitOp(_alone(members, facts)))
        elif autocommit:
            result.extend(_block(members, facts))
        elif facts.settings.directives:
            result.extend(_in_attempts(members, facts, committed_early=position <= last_autocommit))
        else:
            result.extend(_transaction(members, facts, committed_early=position <= last_autocommit))
    # A function of comments alone is no Python. Alembic writes "pass" only where it renders no line at all.
    return [*result, CommentOp(("pass",))] if result and not any(map(_runs, result)) else result


def released(operations: list[ops.MigrateOperation], steps: Sequence[Step], facts: Facts) -> list[ops.MigrateOperation]:
    """Return a downgrade that commits first, if it then locks tables.

    Unless env.py sets transaction_per_migration, the downgrade of the file after it runs in the same transaction and
    has locked tables. With these locks nobody must wait for more: others may wait for the first and hold the second.
    """
    if not facts.autocommit or not steps or steps[0].up.autocommit or not steps[0].up.locks:
        return operations
    comment = CommentOp(("# A commit: the locks of the revision before go, before this one locks tables.",))
    return [AutocommitOp([comment, SqlOp("SELECT 1")]), *operations]


def _runs(op: ops.MigrateOperation) -> bool:
    return any(map(_runs, op.ops)) if isinstance(op, ops.OpContainer) else True


def _way(phase: Phase) -> tuple[bool, bool, bool]:
    alone = _leaves(phase)
    return (phase.autocommit, alone, phase.autocommit and phase.strong and not alone)


def _leaves(phase: Phase) -> bool:
    """Whether its directives leave the transaction themselves."""
    return phase.autocommit and phase.directive


def _alone(phases: Sequence[Phase], facts: Facts) -> list[ops.MigrateOperation]:
    """Write phases with transactions of their own. The lock_timeout for them is set for the session."""
    inner = _written(phases, committed_early=False)
    timeout = facts.settings.lock_timeout
    if not any(phase.strong for phase in phases) or facts.has_lock_timeout or not timeout:
        return inner
    limit = SqlOp(f"SET lock_timeout = {_literal(timeout)}")
    return [CommentOp.of(_patience(timeout)), limit, *inner, SqlOp(_restored("lock_timeout", facts))]


def _in_attempts(phases: Sequence[Phase], facts: Facts, committed_early: bool) -> list[ops.MigrateOperation]:
    """Write each run of phases with strong locks as one ``op.lock_attempts``."""
    from alembic_pgpatterns.operations.lock_attempts import LockAttemptsOp

    timeout = facts.settings.lock_timeout
    result: list[ops.MigrateOperation] = []
    for strong, group in groupby(phases, key=lambda phase: phase.strong):
        inner = _written(list(group), committed_early)
        if strong and timeout and not facts.has_lock_timeout:
            note = _patience(timeout, _WHY_ATTEMPTS)
            result.extend((CommentOp.of(note), LockAttemptsOp(timeout, _ops=inner)))
        else:
            result.extend(inner)
    return result


def _written(phases: Sequence[Phase], committed_early: bool) -> list[ops.MigrateOperation]:
    inner: list[ops.MigrateOperation] = []
    for phase in phases:
        idempotent = phase.idempotent if committed_early and phase.idempotent is not None else phase.operations
        inner.extend((*_comments(phase), *idempotent))
    return inner


def _patience(timeout: str, reason: str = _WHY_TIMEOUT) -> Note:
    return Note(MissingLockTimeout.name, f"{timeout} for the locks on existing tables", reason)


def _block(phases: Sequence[Phase], facts: Facts) -> list[ops.MigrateOperation]:
    inner = [op for phase in phases for op in (*_comments(phase), *phase.operations)]
    if all(isinstance(op, CommentOp) for op in inner):
        return [op.with_block() if isinstance(op, FillCommentOp) else op for op in inner]
    note = Note(TimeoutKillsConcurrentBuild.name, "autocommit block", _PATIENT, aside=True)
    # For the session: outside a transaction SET LOCAL does nothing but warn.
    off = [SqlOp(f"SET {name} = 0") for name in _TIMEOUTS]
    back = [SqlOp(_restored(name, facts)) for name in _TIMEOUTS]
    return [AutocommitOp([CommentOp(note.comment()), *off, *inner, *back])]


_PATIENT = "no timeouts, because this waits for old transactions and blocks nobody"


def _restored(name: str, facts: Facts) -> str:
    """Restore a setting. If env.py set it for the session, RESET would lose that value."""
    return f"SET {name} = {_literal(facts.session[name])}" if name in facts.session else f"RESET {name}"


def _transaction(phases: Sequence[Phase], facts: Facts, committed_early: bool) -> list[ops.MigrateOperation]:
    inner = _written(phases, committed_early)
    timeout = facts.settings.lock_timeout
    if not any(phase.strong for phase in phases) or facts.has_lock_timeout or not timeout:
        return inner
    limit = [CommentOp.of(_patience(timeout)), SqlOp(f"SET LOCAL lock_timeout = {_literal(timeout)}")]
    if locks := _all_locks(phases, facts):
        note = Note(MissingLockTimeout.name, "the tables", f"locked at once, in up to {ATTEMPTS} attempts", aside=True)
        limit += [CommentOp(note.comment()), locks]
    # An autocommit block commits, which ends SET LOCAL. Otherwise it would apply to the next revision too, which
    # shares the transaction unless env.py sets transaction_per_migration.
    before = _literal(facts.session["lock_timeout"]) if "lock_timeout" in facts.session else "DEFAULT"
    end = [] if committed_early else [SqlOp(f"SET LOCAL lock_timeout = {before}")]
    return [*limit, *inner, *end]


def _all_locks(phases: Sequence[Phase], facts: Facts) -> SqlOp | None:
    """All locks of a transaction at its start, if there are several: none is held while another is waited for."""
    closed = closed_tables(phases, facts)
    written = {key: name for key, name in referenced_tables(phases, facts).items() if key not in closed}
    several = any(phase.locks for phase in phases) or len(closed) + len(written) >= SEVERAL
    tables = in_order([*(phase.locks for phase in phases), *([name] for name in closed.values())])
    if not tables or not several:
        return None
    under_views = [column for phase in phases for column in phase.under_views]
    return lock_block(tables, under_views, [name for name in written.values() if name not in tables])


def _comments(phase: Phase) -> Iterable[CommentOp]:
    yield from phase.comments
    for note in phase.notes:
        yield CommentOp.of(note)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def in_batches(operations: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Group the ops that were not rewritten by table again, for ``render_as_batch``."""
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
