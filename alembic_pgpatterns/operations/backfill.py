"""Filling a column of a large table in batches that commit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from sqlalchemy.exc import DBAPIError

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
_PASSES = 10
_REPORT_SECONDS = 10.0


class BackfillOp(Directive):
    """Update rows in batches along the table's key, each batch a transaction of its own.

    ::

        op.backfill("orders", {"total": sa.text("price * quantity")}, where="total IS NULL")

    Args:
        table_name: the table.
        values: new values by column: a plain value, or SQL as ``sa.text(...)`` or an expression. A string is a
            string, never SQL.
        where: SQL (or an expression) that says which rows are left to do. It must no longer hold for a row that
            is done: that makes the backfill resumable, for a run after an interruption finds the rest.
        batch_size: rows of the table a batch looks at.
        pause: seconds to wait after each batch, so that others and autovacuum keep up.
        rate: rows a second at most; None is no limit.
        key: columns of a unique, NOT NULL key to walk along; None is the primary key (of any type, composite too).
        schema: the table's schema; None is the search path's.

    Returns the number of rows updated. Rows that were added or changed behind the walk are found by another one.
    A batch that runs into a deadlock, a lock_timeout or a serialisation failure is tried again. On a terminal a
    progress bar is drawn (standard error); elsewhere the log says how far it is.

    Triggers fire; what the revision did before is committed.

    Lock: ROW EXCLUSIVE on the table, and the rows of one batch until it commits.
    Errors: PgPatternsError where there is no key, where rows still satisfy *where* after their update, where a
    batch fails, or where env.py holds a transaction of its own.
    Reversible: there is nothing to undo; values that were overwritten are lost.
    Offline: an error, since it looks at the key and commits on its way.
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
                f"op.backfill({table_name!r}): give values, a batch_size from 1, a pause from 0, a rate above 0"
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
        """Walk along the key until no row is left."""
        online_only(operations, self.name, "looks at the table's key and commits each batch")
        from alembic_pgpatterns.operations.support.batches import Walk, key_of

        with outside_transaction(operations, self.name):
            at = table(operations, self.table_name, self.schema)
            walk = Walk(operations, at, key_of(operations, at, self.key), self.batch_size)
            with progress(f"backfill of {at}", estimate(operations, at)) as advance:
                return _Job(operations, self, at, walk, advance).run()

    def reverse(self) -> NothingToUndo:
        """Nothing."""
        return NothingToUndo(f"backfill of {self.table_name}: the values stay")


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
        # a literal column, not a text(): colons in a string are no parameters
        self._left = literal_column(f"({plan.where})") if isinstance(plan.where, str) else plan.where
        self._proven = False
        self._name = str(at)

    def run(self) -> int:
        """Passes over the table until one finds nothing; returns the number of rows updated."""
        total = 0
        for _ in range(_PASSES):
            done = self._pass()
            total += done
            if done == 0 or not self._any_left():
                return total
        raise errors.PgPatternsError(
            f"backfill of {self._name}: after {_PASSES} passes there are rows to do again, so they are being written "
            "without the new values. Deploy the code that writes them (or a trigger), then run this revision again"
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
        # no ORM-style evaluation, no RETURNING: one plain UPDATE
        statement = update(self._table).where(rows, self._left).values(self._plan.values)
        updated = _tried(lambda: connection(self._operations).execute(statement).rowcount, self._name)
        if updated and not self._proven:
            self._prove(rows, updated)
        return updated

    def _prove(self, rows: TextClause, updated: int) -> None:
        """That rows which are done are no longer "left", or the backfill would begin anew each time."""
        query = select(func.count()).select_from(self._table).where(rows, self._left)
        if connection(self._operations).execute(query).scalar_one() >= updated:
            raise errors.PgPatternsError(
                f"backfill of {self._name}: rows that were just updated still satisfy where={str(self._plan.where)!r}. "
                "It must say what is left to do, e.g. 'total IS NULL'"
            )
        self._proven = True

    def _any_left(self) -> bool:
        query = select(exists().where(self._left).select_from(self._table))
        return bool(connection(self._operations).execute(query).scalar())

    def _breathe(self, taken: float) -> None:
        due = self._plan.batch_size / self._plan.rate - taken if self._plan.rate else 0.0
        wait = max(self._plan.pause, due)
        if wait > 0:
            time.sleep(wait)


def _tried(batch: Callable[[], int], name: str) -> int:
    """Run one batch, again where it lost against other transactions."""
    for number in range(1, _TRIES + 1):
        try:
            return batch()
        except DBAPIError as error:
            if sqlstate(error) not in _RETRIED or number == _TRIES:
                raise errors.PgPatternsError(
                    f"backfill of {name}: a batch failed: {server_message(error)}. The batches before it are kept; "
                    "see to the cause, then run the revision again, which goes on with the rest"
                ) from error
            log.warning("backfill of %s: %s; trying this batch again", name, server_message(error))
            time.sleep(0.2 * 2**number)
    raise AssertionError("unreachable")


def estimate(operations: Operations, at: TableOrIndex) -> int | None:
    """Rows of the table by the planner's estimate; None where it has none."""
    query = """
        SELECT sum(greatest(c.reltuples, 0))::bigint FROM pg_catalog.pg_class c
        WHERE c.oid = CAST(:table AS regclass)
           OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(CAST(:table AS regclass)) WHERE isleaf)
    """
    return int(fetch_value(operations, query, table=at.quoted) or 0) or None


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yields a function that is told how many rows were walked; draws a bar on a terminal, else logs."""
    if not sys.stderr.isatty():
        yield _logger(what, total)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda rows: bar.update(task, advance=rows)


def _logger(what: str, total: int | None) -> Callable[[int], None]:
    walked, reported = 0, time.monotonic()

    def advance(rows: int) -> None:
        nonlocal walked, reported
        walked += rows
        if time.monotonic() - reported > _REPORT_SECONDS:
            log.info("%s: %s of about %s rows walked", what, walked, total or "?")
            reported = time.monotonic()

    return advance


register(BackfillOp)
