"""The report as Markdown, fit for a pull request's comment."""

from __future__ import annotations

from itertools import groupby
from typing import TextIO

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.words import count_line, fix_lines, foremost, looked_at

SHOWN = 50
"""Findings shown unless all are asked for: a comment has a limited length (65,536 characters on GitHub)."""
MARKS = {Severity.ERROR: "🔴", Severity.WARNING: "🟡", Severity.INFO: "🔵"}


def write(report: Report, stream: TextIO, full: bool = False) -> None:
    """Write the comment: the count, then a table an object's table, then what was skipped."""
    stream.write(f"### pgcheck: {_text(count_line(report))}\n\n{_text(looked_at(report))}\n")
    shown = report.findings if full else foremost(report.findings, SHOWN)
    for table, findings in groupby(sorted(shown, key=_group), key=_group):
        stream.write(f"\n#### {_code(table)}\n\n| | finding | where | fix |\n|---|---|---|---|\n")
        for finding in findings:
            stream.write(_row(finding))
    if len(shown) < len(report.findings):
        stream.write(f"\n… and {len(report.findings) - len(shown)} more.\n")
    for item in report.skipped:
        stream.write(f"\nSkipped: {_text(item.what)}: {_text(item.reason)}\n")
    for hint in report.hints:
        stream.write(f"\n{_text(hint)}\n")


def _group(finding: Finding) -> str:
    return str(finding.table) if finding.table is not None else "the database"


def _row(finding: Finding) -> str:
    places = [_code(str(finding.location))] if finding.location else []
    places += [f"revision {_code(finding.revision)}"] if finding.revision else []
    fixes = "<br>".join(map(_code, fix_lines(finding)))
    what = f"**{finding.pattern}**: {_text(finding.message)}"
    return f"| {MARKS[finding.severity]} | {what} | {'<br>'.join(places)} | {fixes} |\n"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for char in "|*_`[]#":
        escaped = escaped.replace(char, f"\\{char}")
    return escaped.replace("\n", " ")


def _code(text: str) -> str:
    """Code in a table's cell: the fence longer than any run of backticks inside, pipes escaped."""
    fence = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|").replace("\n", " ")


def _runs(text: str) -> list[str]:
    return ["".join(group) for char, group in groupby(text) if char == "`"]
