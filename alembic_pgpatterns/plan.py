"""What the next deployment does to the database: a table a revision, for whoever presses the button."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from alembic_pgpatterns.pattern import Finding
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, blocks, stronger
from alembic_pgpatterns.schema.model import Name

BREAKS_OLD_CODE = ("rename-under-running-code", "drop-under-running-code", "required-column-without-default")
HEADINGS = ("table", "strongest lock", "who waits", "work under it", "rows")
_WORK = {"rewrite": "rewrite", "scan": "scan", "foreign key": "scan", "build": "index build"}
_QUIET = ("ACCESS SHARE", "ROW SHARE")


@dataclass(frozen=True, slots=True)
class Line:
    """One table that a revision locks. ``rows``: under the lock while there is work, None where not known."""

    table: Name
    mode: str
    work: tuple[str, ...]
    rows: int | None

    def cells(self) -> tuple[str, ...]:
        """The line in words."""
        rows = "" if self.rows is None else f"{self.rows:,}"
        return (str(self.table), self.mode, blocks(self.mode), ", ".join(self.work) or "-", rows)


@dataclass(frozen=True, slots=True)
class Plan:
    """One revision. ``old_code``: what code that is still running would fail over; empty: it may go on running."""

    revision: str
    path: str
    lines: tuple[Line, ...]
    old_code: tuple[str, ...]


def plans(runs: Iterable[RevisionRun], findings: Sequence[Finding]) -> tuple[Plan, ...]:
    """The plan of each revision, in order.

    Args:
        runs: of the revisions.
        findings: of the report; what a file suppresses was thought of.
    """
    return tuple(
        Plan(
            run.revision,
            run.path,
            tuple(_lines(run)),
            tuple(f.object for f in findings if f.revision == run.revision and f.pattern in BREAKS_OLD_CODE),
        )
        for run in runs
    )


def _lines(run: RevisionRun) -> Iterator[Line]:
    modes: dict[Name, str] = {}
    work: dict[Name, dict[str, None]] = {}
    for statement in run.statements:
        for lock in statement.locks:
            modes[lock.root] = stronger(modes.get(lock.root, lock.mode), lock.mode)
        for table, what in _work(statement):
            work.setdefault(table, {})[what] = None
    rows = dict(run.rows)
    for table, mode in modes.items():
        if mode not in _QUIET or table in work:
            yield Line(table, mode, tuple(work.get(table, ())), rows.get(table))


def _work(statement: Statement) -> Iterator[tuple[Name, str]]:
    rewritten = {item.root for item in statement.work if item.kind == "rewrite"}
    for item in statement.work:
        if item.kind == "rewrite" or item.root not in rewritten:
            yield item.root, f"{_WORK[item.kind]} under {statement.mode(item.root) or 'SHARE UPDATE EXCLUSIVE'}"


def write(plans: Sequence[Plan], stream: TextIO, format: str) -> None:
    """Write the plans as "text" or "markdown"."""
    lines = _markdown(plans) if format == "markdown" else _text(plans)
    stream.write("\n".join(lines) + "\n")


def _text(plans: Sequence[Plan]) -> Iterator[str]:
    if not plans:
        yield "No revision is in scope: nothing to plan."
    for plan in plans:
        yield f"{plan.revision}  {plan.path}"
        rows = [HEADINGS, *(line.cells() for line in plan.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows if plan.lines else ():
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if not plan.lines:
            yield "  locks no table that was there before"
        yield f"  old code must be gone: {_old_code(plan)}"
        yield ""


def _markdown(plans: Sequence[Plan]) -> Iterator[str]:
    if not plans:
        yield "No revision is in scope."
    for plan in plans:
        yield f"### `{plan.revision}`\n{_escaped(plan.path)}\n"
        if plan.lines:
            yield f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"
            yield from (f"| {' | '.join(map(_escaped, line.cells()))} |" for line in plan.lines)
        else:
            yield "Locks no table that was there before."
        yield f"\nOld code must be gone: **{_escaped(_old_code(plan))}**\n"


def _old_code(plan: Plan) -> str:
    return f"yes ({', '.join(plan.old_code)})" if plan.old_code else "no"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
