"""Fill a column of a large table in batches, with a commit after each batch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    TextClause,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.directive import Directive, NothingToUndo, register
from alembic_pgpatterns.operations.support.relations import TableOrIndex, reflected, table
from alembic_pgpatterns.operations.support.session import (
    connection,
    fetch_value,
    log,
    online_only,
    outside_transaction,
    server_message,
    sqlstate,
)

if TYPE_CHECKING:
    from alembic.operations import Operations

    from alembic_pgpatterns.operations.support.batches import Position, Walk

_RETRIED = ("55P03", "40P01", "40001")
"""lock_not_available, deadlock_detected, serialization_failure."""
_TRIES = 5
# Rows that others write behind the place reached are left to the next pass.
_PASSES = 10
_REPORT_SECONDS = 10.0


class BackfillOp(Directive):
    """Update rows in batches, in the order of the table's key. Each batch is a transaction of its own.

    ::

        op.backfill("orders", {"total": sa.text("price * quantity")}, where="total IS NULL")

    Args:
        table_name: the table.
        values: new values by column: a plain value, or SQL as ``sa.text(...)`` or an expression. A string is a
            string, never SQL.
        where: SQL (or an expression) for the rows that still have to be updated. It must be false for a row after
            its update: then a run after an interruption continues with the remaining rows.
        batch_size: number of rows of the table per batch.
        pause: seconds to wait after each batch, so that other sessions and autovacuum keep up.
        rate: highest number of rows per second; None is no limit.
        key: columns of a unique, NOT NULL key that gives the order; None is the primary key (of any type, also of
            several columns).
        schema: the table's schema; None: PostgreSQL looks along the search path.

    Returns the number of rows updated. The table is read from start to end several times, until no row is left, so
    rows that others add or change while it runs are updated too. A batch that fails with a deadlock, a lock_timeout or
    a serialization failure is repeated. On a terminal, standard error shows a progress bar; otherwise the log shows
    the progress.

    Triggers fire. The statements before it in the revision are committed.

    Lock: ROW EXCLUSIVE on the table, and the rows of one batch until it commits.
    Errors: PgPatternsError if there is no key, if rows still satisfy *where* after their update, if a batch fails,
    if env.py holds a transaction of its own, or if a policy hides rows from the role (it needs BYPASSRLS then).
    Reversible: there is nothing to undo; the overwritten values are lost.
    Offline: an error, since it looks at the key and commits after each batch.
    """

    name = "backfill"

    def __init__(
        self,
        table_name: str,
        values: Mapping[str, Any],
        where: str | ColumnElement[bool] | TextClause,
        batch_size: int = 1000,
        *,
        pause: float = 0.0,
        rate: float | None = None,
        key: Sequence[str] | None = None,
        schema: str | None = None,
    ) -> None:
        if not values or batch_size < 1 or pause < 0 or (rate is not None and rate <= 0):
            raise errors.PgPatternsError(
                f"op.backfill({table_name!r}): values must not be empty, batch_size at least 1, pause at least 0, "
                "rate above 0"
            )
        self.table_name = table_name
        self.values = dict(values)
        self.where = where
        self.batch_size = batch_size
        self.pause = pause
        self.rate = rate
        self.key = list(key) if key is not None else None
        self.schema = schema

    def run(self, operations: Operations) -> int:
        """Update batch after batch until no row is left."""
        online_only(operations, self.name, "looks at the table's key and commits each batch")
        from alembic_pgpatterns.operations.support.batches import Walk, key_of

        with outside_transaction(operations, self.name), _every_row(operations):
            at = table(operations, self.table_name, self.schema)
            _refuse_hidden_rows(operations, at)
            walk = Walk(operations, at, key_of(operations, at, self.key), self.batch_size)
            with progress(f"backfill of {at}", estimate(operations, at)) as advance:
                return _Job(operations, self, at, walk, advance).run()

    def reverse(self) -> NothingToUndo:
        """Nothing to do."""
        return NothingToUndo(f"backfill of {self.table_name}: the values stay")


def _refuse_hidden_rows(operations: Operations, at: TableOrIndex) -> None:
    """Fail before the first batch where policies hide rows. PostgreSQL's own error does not say which role helps."""
    query = "SELECT row_security_active(CAST(:table AS regclass)::oid)"
    if fetch_value(operations, query, table=at.quoted):
        role = fetch_value(operations, "SELECT current_user")
        raise errors.PgPatternsError(
            f"backfill of {at}: row security hides rows from the role {role}. No row is changed. Let a superuser run "
            "ALTER ROLE ... BYPASSRLS, or run the migration as a role that has it"
        )


@contextmanager
def _every_row(operations: Operations) -> Iterator[None]:
    """Let PostgreSQL refuse an UPDATE from which a policy would hide rows (docs, "Row Security Policies")."""
    query = "SELECT set_config('row_security', :value, false)"
    before = fetch_value(operations, "SELECT current_setting('row_security')")
    fetch_value(operations, query, value="off")
    try:
        yield
    except BaseException:
        # The session may be gone. If it is not, it refuses hidden rows from now on, too.
        with suppress(SQLAlchemyError):
            fetch_value(operations, query, value=before)
        raise
    fetch_value(operations, query, value=before)


class _Job:
    """A backfill that is running."""

    def __init__(
        self, operations: Operations, plan: BackfillOp, at: TableOrIndex, walk: Walk, advance: Callable[[int], None]
    ) -> None:
        self._operations = operations
        self._plan = plan
        self._walk = walk
        self._advance = advance
        self._table = reflected(operations, at, plan.values)
        # A literal column, not a text(): there a colon in a string would begin a parameter.
        self._left = literal_column(f"({plan.where})") if isinstance(plan.where, str) else plan.where
        self._proven = False
        self._name = str(at)

    def run(self) -> int:
        """Read the table until no row is left to update. Returns the number of rows updated."""
        total = 0
        for _ in range(_PASSES):
            done = self._pass()
            total += done
            if done == 0 or not self._any_left():
                return total
        raise errors.PgPatternsError(
            f"backfill of {self._name}: after {_PASSES} passes there are still rows to update, so something keeps "
            "writing rows without the new values. Deploy the code that writes them (or a trigger), then run this "
            "revision again"
        )

    def _pass(self) -> int:
        done, after = 0, None
        while True:
            begun = time.monotonic()
            bound = self._walk.next_bound(after)
            updated = self._batch(after, bound)
            done += updated
            self._advance(self._plan.batch_size)
            if bound is None:
                return done
            after = bound
            self._breathe(time.monotonic() - begun)

    def _batch(self, after: Position | None, bound: Position | None) -> int:
        rows = self._walk.within(after, bound)
        # synchronize_session and RETURNING stay out of it: one plain UPDATE
        statement = update(self._table).where(rows, self._left).values(self._plan.values)
        updated = _tried(lambda: connection(self._operations).execute(statement).rowcount, self._name)
        if updated and not self._proven:
            self._prove(rows, updated)
        return updated

    def _prove(self, rows: TextClause, updated: int) -> None:
        """Check that updated rows no longer satisfy *where*. Otherwise the backfill would never end."""
        query = select(func.count()).select_from(self._table).where(rows, self._left)
        if connection(self._operations).execute(query).scalar_one() >= updated:
            raise errors.PgPatternsError(
                f"backfill of {self._name}: rows that were just updated still satisfy where={str(self._plan.where)!r}. "
                "It must select only rows that still have to be updated, e.g. 'total IS NULL'"
            )
        self._proven = True

    def _any_left(self) -> bool:
        query = select(exists().where(self._left).select_from(self._table))
        return bool(connection(self._operations).execute(query).scalar())

    def _breathe(self, seconds_used: float) -> None:
        seconds_due = self._plan.batch_size / self._plan.rate - seconds_used if self._plan.rate else 0.0
        wait = max(self._plan.pause, seconds_due)
        if wait > 0:
            time.sleep(wait)


def _tried(batch: Callable[[], int], name: str) -> int:
    """Run one batch; repeat it if it failed because of other transactions."""
    for number in range(1, _TRIES + 1):
        try:
            return batch()
        except DBAPIError as error:
            if sqlstate(error) not in _RETRIED or number == _TRIES:
                raise errors.PgPatternsError(
                    f"backfill of {name}: a batch failed: {server_message(error)}. The earlier batches are committed. "
                    "Remove the cause, then run the revision again: it continues with the remaining rows"
                ) from error
            log.warning("backfill of %s: %s; repeating this batch", name, server_message(error))
            # 0.4 s to 3.2 s: whoever was in the way needs time to finish.
            time.sleep(0.2 * 2**number)
    raise AssertionError("unreachable")


def estimate(operations: Operations, at: TableOrIndex) -> int | None:
    """The planner's estimate of the table's rows; None if the table has no statistics yet."""
    # reltuples is -1 until the first VACUUM or ANALYZE (since PostgreSQL 14).
    query = """
        SELECT sum(greatest(c.reltuples, 0))::bigint FROM pg_catalog.pg_class c
        WHERE c.oid = CAST(:table AS regclass)
           OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(CAST(:table AS regclass)) WHERE isleaf)
    """
    return int(fetch_value(operations, query, table=at.quoted) or 0) or None


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of rows read. It draws a bar on a terminal, otherwise it logs."""
    if not sys.stderr.isatty():
        yield _logger(title, total)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda rows: bar.update(task, advance=rows)


def _logger(title: str, total: int | None) -> Callable[[int], None]:
    rows_read, reported = 0, time.monotonic()

    def advance(rows: int) -> None:
        nonlocal rows_read, reported
        rows_read += rows
        if time.monotonic() - reported > _REPORT_SECONDS:
            log.info("%s: %s of about %s rows done", title, rows_read, total or "?")
            reported = time.monotonic()

    return advance


register(BackfillOp)
