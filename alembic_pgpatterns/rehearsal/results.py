"""From measurements to the reported result of a revision."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from alembic_pgpatterns.rehearsal.model import Measurement, Prediction, RevisionResult, StatementTime, TableResult, Wait
from alembic_pgpatterns.rehearsal.predict import Growth, growth
from alembic_pgpatterns.rehearsal.sizes import Sizes
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Location, Table

NO_WAIT = Wait(0.0, 0.0)
_TOO_LONG = 10.0
"""A statement that ran this many times longer than somebody waited was not what they waited for. Not less: it may have
waited itself before it held its lock."""


def result_of(run: RevisionRun, sizes: Sizes, measured: Sequence[tuple[int, Measurement]]) -> RevisionResult:
    """The result of one revision in one database.

    Args:
        run: on empty tables.
        sizes: rows per table.
        measured: the rows of the largest table, and the measurement; the last one is reported.
    """
    last = measured[-1][1]
    statements = tuple(_statements(sizes, measured))
    return RevisionResult(
        revision=run.revision,
        path=run.path,
        database=run.database,
        tables=tuple(_table(table, sizes, measured, statements) for table in sizes.touched if table.name in last.reads),
        statements=statements,
        wal_bytes=last.wal_bytes,
        disk_bytes=last.disk_bytes,
        sizes=tuple(dict.fromkeys(size for size, _ in measured)),
        seconds=last.seconds,
    )


def _statements(sizes: Sizes, measured: Sequence[tuple[int, Measurement]]) -> Iterator[StatementTime]:
    """The statements of the last run with predicted times; one for all that a loop over rows ran."""
    texts = [_texts(item.statements) for _, item in measured]
    alike = {place for place in texts[-1] if all(item.get(place) == texts[-1][place] for item in texts)}
    runs = [(rows, _by_place(item.statements, alike)) for rows, item in measured]
    size = measured[-1][0] * sizes.factor(measured[-1][0])
    for place, statement in runs[-1][1].items():
        points = [(rows, places[place].seconds) for rows, places in runs if place in places]
        yield replace(statement, predicted=growth(points).at(size)) if len(points) == len(runs) else statement


def _longer(statements: Sequence[StatementTime], wait: float) -> float:
    """By how many seconds at most a wait is predicted to become longer; infinite if that is not known.

    A lock is held while statements run, so a wait cannot grow by more than they do, whatever other programs of the
    machine did to it. And it lasts at least as long as each statement that holds the lock.

    Args:
        statements: with the predicted seconds.
        wait: seconds that somebody waited for the table.
    """
    if any(item.predicted is None for item in statements):
        return math.inf
    return sum(_caused(item, wait) for item in statements)


def _caused(statement: StatementTime, wait: float) -> float:
    growth_of_all = max(0.0, (statement.predicted or 0.0) - statement.seconds)
    if statement.seconds / statement.count > _TOO_LONG * wait:
        return 0.0
    # Of a loop with a commit after each run, nobody waits for more than one run.
    in_one_transaction = statement.count == 1 or wait > statement.seconds / 2
    return growth_of_all if in_one_transaction else growth_of_all / statement.count


def _texts(statements: Sequence[StatementTime]) -> dict[Location, set[str]]:
    """What each line ran."""
    result: dict[Location, set[str]] = defaultdict(set)
    for statement in statements:
        result[statement.location].add(statement.sql)
    return result


def _by_place(
    statements: Sequence[StatementTime], alike: Container[Location]
) -> dict[tuple[Location, str], StatementTime]:
    """Statements by line and text. A line that did not run the same texts in all runs is one: they hold values."""
    result: dict[tuple[Location, str], StatementTime] = {}
    for statement in statements:
        place = (statement.location, statement.sql if statement.location in alike else "")
        result[place] = _together(result.get(place), statement)
    return result


def _together(first: StatementTime | None, more: StatementTime) -> StatementTime:
    if first is None:
        return more
    rows = None if first.rows is None and more.rows is None else (first.rows or 0) + (more.rows or 0)
    return replace(first, seconds=first.seconds + more.seconds, rows=rows, count=first.count + more.count)


def _table(
    table: Table, sizes: Sizes, measured: Sequence[tuple[int, Measurement]], statements: Sequence[StatementTime]
) -> TableResult:
    name, last = table.name, measured[-1][1]
    rows = last.rows.get(name, 0)
    reads = [(size, item.reads.get(name, NO_WAIT).waited) for size, item in measured]
    writes = [(size, item.writes.get(name, NO_WAIT).waited) for size, item in measured]
    read, write = (growth(points, _longer(statements, points[-1][1])) for points in (reads, writes))
    return TableResult(
        table=name,
        rows=rows,
        read_wait=reads[-1][1],
        write_wait=writes[-1][1],
        predicted=_prediction(sizes.target(name, rows), sizes.factor(measured[-1][0]), measured[-1][0], read, write),
    )


def _prediction(target: int, factor: float, measured: int, reads: Growth, writes: Growth) -> Prediction:
    """How long a reader and a writer wait with ``target`` rows: ``factor`` times the ``measured`` ones."""
    size = measured * factor
    read, write = reads.at(size), writes.at(size)
    worse = writes if write >= read else reads
    longest = max(read, write)
    # A prediction for a larger size is less certain: add the spread for each factor of ten.
    spread = worse.spread * (1 + max(0, len(str(int(factor))) - 1))
    return Prediction(target, read, write, longest * max(0.0, 1 - spread), longest * (1 + spread), worse.words)
