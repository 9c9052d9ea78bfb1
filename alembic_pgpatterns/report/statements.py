"""Findings about statements, grouped by the line that sends them: shown at the end of a run of pytest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.report.places import displayed
from alembic_pgpatterns.report.words import count_line, fix_lines, message

SHOWN = 20
"""Lines of the application that are shown."""


def lines(report: Report, shown: int = SHOWN) -> Iterator[str]:
    """The report as lines of text, the worst places first."""
    order: dict[str, int] = {}
    for position, finding in enumerate(report.findings):
        order.setdefault(_place(finding), position)
    grouped = sorted(report.findings, key=lambda finding: order[_place(finding)])
    for number, (place, findings) in enumerate(groupby(grouped, key=_place)):
        if number >= shown:
            yield f"… and {len(order) - shown} more: `alembic pgadvise --workload FILE` shows all."
            break
        yield place
        for finding in findings:
            yield f"  {finding.severity} {finding.pattern}: {message(finding)}"
            yield from (f"      fix  {line}" for text in fix_lines(finding) for line in text.splitlines())
    yield count_line(report)


def _place(finding: Finding) -> str:
    return one_line(str(displayed(finding.location))) if finding.location else "(no line known)"
