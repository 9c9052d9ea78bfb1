"""Try several times to get a lock, instead of waiting for it and making everybody else wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from alembic.operations import MigrateOperation
from alembic.operations.ops import OpContainer

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, register
from alembic_pgpatterns.operations.support.session import (
    connection,
    emit,
    fetch_value,
    in_autocommit,
    log,
    offline,
    sqlstate,
)
from alembic_pgpatterns.operations.support.template import Value
from alembic_pgpatterns.output.causes import causes

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import Operations
    from sqlalchemy.engine import NestedTransaction

_RETRIED = ("55P03", "40P01")
"""lock_not_available (what lock_timeout raises) and deadlock_detected."""

LONGEST_PAUSE = 30.0


class LockAttemptsOp(Directive, OpContainer):
    """Run statements that need a strong lock: wait only briefly for it, and try several times.

    ::

        for attempt in op.lock_attempts("2s", 5):
            with attempt:
                op.drop_table("old_orders")

    Args:
        lock_timeout: how long each attempt waits for a lock: ``"2s"``, or a number of milliseconds.
        attempts: the number of attempts.
        pause: seconds between the first two attempts; doubled after each attempt, up to 30.

    While a statement waits for ACCESS EXCLUSIVE, everybody else waits behind it. So each attempt gives up after
    *lock_timeout*: its savepoint is rolled back, which releases the locks that it got. The log names the session
    that holds the lock. After the pause the whole body runs again. A deadlock is repeated too. Put it before other
    statements of the revision, since locks of earlier statements are held all the time.

    The body must not contain operations that run outside a transaction. In an ``autocommit_block()`` there is no
    savepoint: there the body should be one statement.

    Lock: those of the body. lock_timeout is restored afterwards.
    Errors: PgPatternsError after the last attempt, which names the sessions that hold the lock; other errors are
    not changed.
    Reversible: if its operations are. Offline: the body once, under the lock_timeout, since a script cannot repeat it.
    Source: PostgreSQL documentation, "lock_timeout"; strong_migrations (Ruby) does the same.
    """

    name = "lock_attempts"

    def __init__(
        self,
        lock_timeout: str | int = "2s",
        attempts: int = 5,
        *,
        pause: float = 1.0,
        _ops: Sequence[MigrateOperation] = (),
    ) -> None:
        OpContainer.__init__(self, _ops)
        if attempts < 1 or pause < 0:
            raise errors.PgPatternsError("op.lock_attempts: attempts must be at least 1, and pause at least 0")
        self.lock_timeout = lock_timeout
        self.attempts = attempts
        self.pause = pause

    def run(self, operations: Operations) -> Iterator[Attempt | WrittenAttempt]:
        """The attempts, to be iterated over. Operations inside it (from autogenerate) run at once."""
        attempts = _attempts(operations, self)
        if not self.ops:
            return attempts
        for attempt in attempts:
            with attempt:
                for operation in self.ops:
                    operations.invoke(operation)
        return iter(())

    def reverse(self) -> LockAttemptsOp:
        """The same attempts, for the reverse of the operations inside, in reverse order."""
        reverse = [_reverse_of(operation) for operation in reversed(self.ops)]
        return LockAttemptsOp(self.lock_timeout, self.attempts, pause=self.pause, _ops=reverse)

    def render(self, context: AutogenContext) -> list[str]:
        """The loop and the operations inside it."""
        from alembic.autogenerate.render import render_op

        call = super().render(context)
        # Alembic indents only the first line of each operation
        inner = [line.replace("\n", "\n        ") for op in self.ops for line in render_op(context, op)]
        return [f"for attempt in {call}:", "with attempt:", *(inner or ["pass"]), "", ""]

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The tuples of the operations inside."""
        return (self.name, *self.as_diffs())


def _reverse_of(operation: MigrateOperation) -> MigrateOperation:
    reverse: MigrateOperation = operation.reverse()
    return reverse


class Attempt:
    """One attempt: a savepoint and a lock_timeout. Leaving it by a lock timeout is not yet an error."""

    def __init__(self, operations: Operations, plan: LockAttemptsOp, number: int) -> None:
        """*number* counts from 1."""
        self.number = number
        self.done = False
        self._operations = operations
        self._plan = plan
        self._savepoint: NestedTransaction | None = None
        self._before = "0"

    def __enter__(self) -> Attempt:
        self._before = str(fetch_value(self._operations, "SELECT current_setting('lock_timeout')"))
        if not in_autocommit(connection(self._operations)):
            # Rolling back to a savepoint releases the locks that were taken after it (docs, "Explicit Locking"), so
            # others can go on before the next attempt.
            self._savepoint = connection(self._operations).begin_nested()
        # Behind the savepoint: rolling back to it takes the setting back too.
        self._set_lock_timeout(str(self._plan.lock_timeout))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            if self._savepoint is not None:
                self._savepoint.commit()
            self._set_lock_timeout(self._before)
            self.done = True
            return False
        self._give_up()
        refused = _refused(error)
        if refused is None:
            return False
        self._report(error, refused)
        return True

    def _give_up(self) -> None:
        if self._savepoint is not None:
            # a lost connection cannot roll back; the error that says so is being raised already
            if self._savepoint.is_active:
                self._savepoint.rollback()
        else:
            self._set_lock_timeout(self._before)

    def _report(self, error: BaseException, refused: BaseException) -> None:
        # imported here: it loads the SQL parser, which a run without trouble does not need
        from alembic_pgpatterns.operations.support.lock_holders import holders

        sessions = holders(self._operations, getattr(refused, "statement", None))
        outcome = f"attempt {self.number} of {self._plan.attempts} got no lock in {self._plan.lock_timeout}"
        if self.number == self._plan.attempts:
            raise errors.PgPatternsError(
                f"op.lock_attempts: {outcome}: {sessions}. Run the revision again at a quieter time, or end that "
                "session with SELECT pg_terminate_backend(pid)"
            ) from error
        log.warning("%s: %s", outcome, sessions)

    def _set_lock_timeout(self, value: str) -> None:
        local = self._savepoint is not None
        template = "SELECT set_config('lock_timeout', {value}, {local})"
        emit(self._operations, template, value=Value(value), local=Value(local))


# Who writes the script does not know the value from before; the server keeps it until the end.
_SAVE = "SELECT set_config('pgpatterns.lock_timeout', current_setting('lock_timeout'), false)"
_SET = "SELECT set_config('lock_timeout', {value}, false)"
_RESTORE = "SELECT set_config('lock_timeout', current_setting('pgpatterns.lock_timeout'), false)"


class WrittenAttempt:
    """The only attempt of an offline script: the body under the lock_timeout."""

    def __init__(self, operations: Operations, plan: LockAttemptsOp) -> None:
        self._operations = operations
        self._plan = plan

    def __enter__(self) -> WrittenAttempt:
        emit(self._operations, _SAVE)
        emit(self._operations, _SET, value=Value(str(self._plan.lock_timeout)))
        return self

    def __exit__(self, *error: object) -> None:
        emit(self._operations, _RESTORE)


def _attempts(operations: Operations, plan: LockAttemptsOp) -> Iterator[Attempt | WrittenAttempt]:
    if offline(operations):
        yield WrittenAttempt(operations, plan)
        return
    pause = plan.pause
    for number in range(1, plan.attempts + 1):
        attempt = Attempt(operations, plan, number)
        yield attempt
        if attempt.done:
            return
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _refused(error: BaseException) -> BaseException | None:
    """The server's error if it is one after which to try again, also if a directive has wrapped it."""
    return next((cause for cause in causes(error, contexts=False) if sqlstate(cause) in _RETRIED), None)


register(LockAttemptsOp)
