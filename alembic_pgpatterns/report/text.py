"""The report for people: what was not checked, what costs most, then the findings by table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TextIO

from rich.text import Text

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.program import typed
from alembic_pgpatterns.output.safe_text import code, one_line
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.lines import Line, height, width_of, write_lines
from alembic_pgpatterns.report.overview import overview, pattern_counts
from alembic_pgpatterns.report.words import (
    count_line,
    fix_lines,
    fixable,
    found_out,
    looked_at,
    message,
    place,
    skipped_texts,
)
from alembic_pgpatterns.schema.names import quote

SHOWN = 20
"""Number of findings up to which each is shown; above it there is an overview, unless all are asked for."""
SCREEN = 40
"""Lines that the overview fits into, if the project's own part (what was not checked, hints) leaves room for it."""
HINTS = 2
"""Hints that the overview shows; --all shows every one in full."""
FIXES = 4
"""Lines of a remedy unless all are asked for: a key takes every foreign key that points at it along."""
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def write(report: Report, stream: TextIO, full: bool = False) -> None:
    """Write the report; in colour if the stream is a terminal that has not asked for none (NO_COLOR)."""
    before, after = list(_head(report)), list(_tail(report, full))
    if full or len(report.causes) <= SHOWN:
        between = [*pattern_counts(report, STYLES), *_by_table(report.causes, full)]
    else:
        width, after = width_of(stream), list(_short_tail(report))
        between = overview(report, STYLES, width, SCREEN - height([*before, *after], width))
    write_lines([*before, *between, *after], stream)


def _head(report: Report) -> Iterator[Line]:
    yield Line("", Text(f"pgcheck: {looked_at(report)}"))
    yield from _before(report)


def _tail(report: Report, full: bool) -> Iterator[Line]:
    yield from _guesses(report, full)
    yield from _afterwards(report)
    yield from _next_steps(report)
    yield from _last(report)


def _last(report: Report) -> Iterator[Line]:
    yield Line("", Text())
    yield Line("", Text(count_line(report), "bold" if report.findings or report.missed else "bold green"))


def _before(report: Report) -> Iterator[Line]:
    """What the findings are not about: it comes first, so that nobody takes silence for a pass."""
    lines = [Line("", Text(line), 2) for line in (found_out(report),) if line is not None]
    lines += _skipped(report.missed)
    lines += _skipped(report.left_out)
    if lines:
        yield Line("", Text())
        yield from lines


def _short_tail(report: Report) -> Iterator[Line]:
    """What to do next, below the overview. The rest of it comes with all findings."""
    yield from _guesses(report, False)
    yield from _stale(report)
    yield Line("", Text())
    curable = len(fixable(report))
    if curable:
        summary = f"pgfix can fix {curable} of {len(report.causes)} by itself"
        yield Line("", Text(typed(f"{summary}; to see how: alembic pgfix --all --dry-run")), 2)
    yield Line("", Text("All findings: --all; some: --select PATTERN; why one matters: --explain PATTERN"), 2)
    for hint in report.hints[:HINTS]:
        words, *lines = typed(code(hint)).split("\n")
        # The last sentence of those that end with lines of code is about these lines. Settings to paste have no other.
        is_short = lines and ". " in words
        for line in [f"{words.rpartition('. ')[0]}. …"] if is_short else [words, *lines]:
            yield Line("", Text(line), 2)
    yield from _last(report)


def _skipped(items: Sequence[Skipped]) -> Iterator[Line]:
    for (line, *others), missed in skipped_texts(items):
        style = "bold red" if missed else "dim"
        yield Line("", Text(f"{'NOT CHECKED' if missed else 'skipped'}: {line}", style), 2)
        yield from (Line("  ", Text(other, style), 2) for other in others)


def _by_table(findings: Sequence[Finding], full: bool) -> Iterator[Line]:
    """Tables in the order of their most expensive finding."""
    order: dict[str, int] = {}
    for position, finding in enumerate(findings):
        order.setdefault(heading(finding), position)
    for table, of_table in groupby(sorted(findings, key=lambda finding: order[heading(finding)]), key=heading):
        yield Line("", Text())
        yield Line("", Text(table, "bold"))
        for finding in of_table:
            yield from _finding(finding, full)


def heading(finding: Finding) -> str:
    """The table that a finding is about."""
    return one_line(str(finding.table)) if finding.table is not None else "Project"


def _finding(finding: Finding, full: bool) -> Iterator[Line]:
    style = STYLES[finding.severity]
    heading_ = Text.assemble((str(finding.severity), style), " ", (finding.pattern, "bold"), f": {_message(finding)}")
    yield Line("  ", heading_, 4)
    if where := place(finding):
        yield Line("      at   ", Text(where, "dim"))
    if full:
        for other in finding.also:
            where = ", ".join(part for part in (one_line(other.object), place(other)) if part)
            yield Line("      also ", Text(where, "dim"), 2)
    yield from fixes(finding, full)


def fixes(finding: Finding, full: bool) -> Iterator[Line]:
    """The lines of a finding's remedy, the first few unless all are asked for."""
    lines = fix_lines(finding)
    shown = lines if full or len(lines) <= FIXES else lines[: FIXES - 1]
    for line in shown:
        for number, part in enumerate(line.split("\n")):
            yield Line("           " if number else "      fix  ", Text(part, "green"), 2)
    if len(shown) < len(lines):
        yield Line("           ", Text(f"… and {len(lines) - len(shown)} that change with it", "green"))


def _guesses(report: Report, full: bool) -> Iterator[Line]:
    """What no query supports, if it was asked for (--guesses)."""
    if report.guesses and report.show_guesses:
        yield Line("", Text())
        yield Line("", Text("Guesses: no query of the application that was read supports these.", "bold"), 2)
        yield from _by_table(report.guesses, full)


def _message(finding: Finding) -> str:
    """The message under its table's heading, which already names the schema."""
    if finding.table is None:
        return message(finding)
    schema = re.escape(one_line(quote(finding.table.schema)))
    return re.sub(rf'(?<![\w."]){schema}\.(?=[\w"])', "", message(finding))


def _afterwards(report: Report) -> Iterable[Line]:
    routine = [item for item in report.skipped if item.routine]
    if routine:
        yield Line("", Text())
        yield from _skipped(routine)
    yield from _stale(report)


def _stale(report: Report) -> Iterator[Line]:
    if report.stale:
        yield Line("", Text())
        yield Line("", Text("The baseline accepts what is no longer there; --write-baseline takes these out:", "dim"))
        for entry in report.stale:
            yield Line("  ", Text(one_line(entry), "dim"))


def _next_steps(report: Report) -> Iterator[Line]:
    curable = len(fixable(report))
    if curable:
        yield Line("", Text())
        summary = f"pgfix can fix {curable} of {counted(len(report.causes), 'findings')} by itself (marked [fixable])"
        yield Line("", Text(typed(f"{summary}. See how, without writing anything: alembic pgfix --all --dry-run")), 2)
    for hint in report.hints:
        yield Line("", Text())
        for line in typed(code(hint)).split("\n"):
            words = line.lstrip(" ")
            yield Line(" " * (len(line) - len(words)), Text(words), 2)
