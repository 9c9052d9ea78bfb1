"""What the next deployment does to the database: one table of locks and work per revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.checks.narrowed import narrowed
from alembic_pgpatterns.checks.needed import newly_needed, newly_refused
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.patterns.revisions.rename_under_running_code import RenameUnderRunningCode
from alembic_pgpatterns.revisions.contract import is_contract
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, blocks, is_strong, stronger, transactions
from alembic_pgpatterns.revisions.retyped import retyped
from alembic_pgpatterns.schema.model import Name

# What a revision demands of old code's INSERTs is asked of the schemas (`newly_needed`), not of findings:
# required-column-without-default is also about existing rows, which old code does not notice.
BREAKS_OLD_CODE = (RenameUnderRunningCode.name, DropUnderRunningCode.name)
HEADINGS = ("table", "strongest lock", "who waits", "work under it", "rows", "measured", "line")
_WORK = {"rewrite": "rewrite", "scan": "scan", "foreign key": "scan", "build": "index build"}
# Queries take these; only ACCESS EXCLUSIVE and EXCLUSIVE wait for them.
_QUIET = ("ACCESS SHARE", "ROW SHARE")


@dataclass(frozen=True, slots=True)
class Line:
    """One table that a revision locks.

    ``rows``: of the table if there is work under the lock; None if not known. ``line``: of the revision, where it first
    takes its strongest lock. ``measured``: how long a rehearsal waited, in words.
    """

    table: Name
    mode: str
    work: tuple[str, ...]
    rows: int | None
    line: int
    measured: str = ""

    def cells(self) -> tuple[str, ...]:
        """The line in words."""
        rows = "" if self.rows is None else f"{self.rows:,}"
        work = ", ".join(self.work) or "-"
        return (str(self.table), self.mode, blocks(self.mode), work, rows, self.measured, str(self.line))


@dataclass(frozen=True, slots=True)
class Plan:
    """One revision.

    ``old_code``: what old code that is still running would fail on; empty if it can keep running. ``database``: the
    database's name, if revisions run in several. ``contract``: the file says that it waits until no old code runs.
    """

    revision: str
    path: str
    lines: tuple[Line, ...]
    old_code: tuple[str, ...]
    database: str = ""
    contract: bool = False

    @property
    def heading(self) -> str:
        """The file, and the database if there are several."""
        return f"{self.path} in database {self.database}" if self.database else self.path

    def rows(self) -> list[tuple[str, ...]]:
        """The table in words, headings first, without empty columns; no rows if no table is locked."""
        if not self.lines:
            return []
        cells = [line.cells() for line in self.lines]
        filled = [number for number in range(len(HEADINGS)) if any(row[number] for row in cells)]
        return [tuple(row[number] for number in filled) for row in (HEADINGS, *cells)]


def plans(runs: Sequence[RevisionRun], findings: Sequence[Finding]) -> tuple[Plan, ...]:
    """The plan of each revision, in order.

    Args:
        runs: of the revisions.
        findings: of the report. Suppressed findings are left out: they were decided on.
    """
    several = len({run.database for run in runs}) > 1
    return tuple(
        Plan(
            run.revision,
            run.path,
            tuple(_lines(run)),
            tuple(dict.fromkeys((*_broken(run, findings), *_changed(run, runs)))),
            run.database if several else "",
            is_contract(run.path),
        )
        for run in runs
    )


def _broken(run: RevisionRun, findings: Sequence[Finding]) -> Iterator[str]:
    yield from (f.object for f in findings if f.revision == run.revision and f.pattern in BREAKS_OLD_CODE)


def _changed(run: RevisionRun, runs: Sequence[RevisionRun]) -> Iterator[str]:
    yield from (old.identifier for old, _ in retyped(run))
    earlier = [item for item in runs[: runs.index(run)] if item.database == run.database]
    for column in newly_needed(run, earlier):
        yield f"{column.identifier}: its INSERTs lack it, so wait until only new code runs"
    for column in newly_refused(run, earlier):
        yield f"{column.identifier}: where it writes NULL, so wait until only new code runs"
    yield from narrowed(run, earlier)


def _lines(run: RevisionRun) -> Iterator[Line]:
    modes: dict[Name, tuple[str, int]] = {}
    work: dict[Name, dict[str, None]] = {}
    for statement in run.statements:
        for lock in statement.locks:
            before, _ = modes.get(lock.root, ("", 0))
            if not before or stronger(before, lock.mode) != before:
                modes[lock.root] = (lock.mode, statement.location.line)
        for table, kind in _work(statement):
            work.setdefault(table, {})[kind] = None
    for table, kind in _held(run):
        work.setdefault(table, {})[kind] = None
    rows = dict(run.rows)
    for table, (mode, line) in modes.items():
        if mode not in _QUIET or table in work:
            yield Line(table, mode, tuple(work.get(table, ())), rows.get(table), line)


def _held(run: RevisionRun) -> Iterator[tuple[Name, str]]:
    """Tables that wait for work on another one: a lock is held until its transaction ends."""
    for statements in transactions(run):
        held: dict[Name, None] = {}
        for statement in statements:
            for item in statement.work:
                yield from (
                    (table, f"held for {_WORK[item.kind]} of {item.root}") for table in held if table != item.root
                )
            held.update((lock.root, None) for lock in statement.locks if is_strong(lock.mode))


def _work(statement: Statement) -> Iterator[tuple[Name, str]]:
    rewritten = {item.root for item in statement.work if item.kind == "rewrite"}
    for item in statement.work:
        if item.kind == "rewrite" or item.root not in rewritten:
            yield item.root, f"{_WORK[item.kind]} under {statement.mode(item.root) or 'SHARE UPDATE EXCLUSIVE'}"
