"""The report for people: a summary first, then what is worst, grouped by table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import TextIO

from rich.console import Console
from rich.text import Text

from alembic_pgpatterns.findings.report_model import Report, Skipped
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.words import count_line, fix_lines, foremost, looked_at
from alembic_pgpatterns.schema.names import quote

SHOWN = 20
"""Findings shown in full unless all are asked for."""
FIXES = 4
"""Lines of a remedy unless all are asked for: a key takes every foreign key that points at it along."""
PIPE_WIDTH = 10_000
"""A line in a file is never folded: what follows the report may search in it."""
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def write(report: Report, stream: TextIO, full: bool = False) -> None:
    """Write the report; in colour where the stream is a terminal that has not asked for none (NO_COLOR)."""
    width = None if stream.isatty() else PIPE_WIDTH
    console = Console(file=stream, highlight=False, markup=False, emoji=False, width=width, soft_wrap=True)
    for line in _lines(report, full):
        console.print(line)


def _lines(report: Report, full: bool) -> Iterable[Text]:
    yield from _summary(report)
    shown = list(report.findings) if full else foremost(report.findings, SHOWN)
    for table, findings in groupby(_by_table(shown), key=_group):
        yield Text()
        yield Text(table, "bold")
        for finding in findings:
            yield from _finding(finding, full)
    if len(shown) < len(report.findings):
        yield Text()
        more = f"… and {len(report.findings) - len(shown)} more: --all shows every one, --explain PATTERN says why."
        yield Text(more, "dim")
    yield from _afterwards(report)
    yield Text()
    yield Text(count_line(report), "bold" if report.findings else "bold green")


def _summary(report: Report) -> Iterable[Text]:
    yield Text(f"pgcheck: {looked_at(report)}")
    counted = Counter((-finding.severity, finding.pattern) for finding in report.findings)
    width = max((len(pattern) for _, pattern in counted), default=0)
    for (rank, pattern), count in sorted(counted.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        severity = Severity(-rank)
        yield Text.assemble("  ", (f"{severity!s:7}", STYLES[severity]), f"  {pattern:{width}}  {count:>5}")


def _by_table(findings: Iterable[Finding]) -> list[Finding]:
    """Tables in the order of their worst finding, which comes first."""
    order: dict[str, int] = {}
    for position, finding in enumerate(findings):
        order.setdefault(_group(finding), position)
    return sorted(findings, key=lambda finding: order[_group(finding)])


def _group(finding: Finding) -> str:
    return str(finding.table) if finding.table is not None else "(no table)"


def _finding(finding: Finding, full: bool) -> Iterable[Text]:
    style = STYLES[finding.severity]
    yield Text.assemble("  ", (str(finding.severity), style), " ", (finding.pattern, "bold"), f": {_message(finding)}")
    places = [str(finding.location)] if finding.location else []
    places += [f"revision {finding.revision}"] if finding.revision else []
    if places:
        yield Text(f"      at   {', '.join(places)}", "dim")
    fixes = fix_lines(finding)
    shown = fixes if full or len(fixes) <= FIXES else fixes[: FIXES - 1]
    for line in shown:
        yield Text("      fix  " + line.replace("\n", "\n           "), "green")
    if len(shown) < len(fixes):
        yield Text(f"           … and {len(fixes) - len(shown)} that change with it", "green")


def _message(finding: Finding) -> str:
    """The message under its table's heading, which has said the schema."""
    if finding.table is None:
        return finding.message
    return re.sub(rf'(?<![\w."]){re.escape(quote(finding.table.schema))}\.(?=[\w"])', "", finding.message)


def _afterwards(report: Report) -> Iterable[Text]:
    if report.skipped:
        yield Text()
        for reason, items in groupby(sorted(report.skipped, key=_reason), key=_reason):
            alike = list(items)
            style = "red" if any(item.broken for item in alike) else "dim"
            yield Text(f"skipped: {', '.join(item.what for item in alike)}: {reason}", style)
    if report.stale:
        yield Text()
        yield Text("The baseline accepts what is no longer there; --write-baseline takes these out:", "dim")
        for entry in report.stale:
            yield Text(f"  {entry}", "dim")
    for hint in report.hints:
        yield Text()
        yield Text(hint)


def _reason(item: Skipped) -> str:
    return item.reason
