"""The report as workflow commands of GitHub Actions: annotations on the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.places import file_and_line
from alembic_pgpatterns.report.words import count_line, fix_lines, foremost, message, place, skipped_lines

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
LIMIT = 10
"""Annotations of each severity that GitHub shows per step; it drops the others silently.

docs.github.com, "Workflow commands", and actions/runner issue 1240.
"""


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """As many commands as GitHub shows, the most expensive first; the other findings as lines of the log."""
    for line in _lines(report):
        stream.write(f"{line}\n")


def _lines(report: Report) -> Iterator[str]:
    for text, missed in skipped_lines(report.skipped):
        if missed:
            yield f"::error title=pgcheck::{_data(f'not checked: {text}')}"
    shown = [item for severity in COMMANDS for item in foremost(_of(report, severity), LIMIT)]
    yield from map(_command, shown)
    others = [finding for finding in report.causes if all(finding is not item for item in shown)]
    if others:
        more = counted(len(others), "more findings", "more finding")
        yield f"::group::{more}, for which GitHub has no room as annotations"
        yield from (f"{item.severity} {item.pattern}: {message(item)} ({place(item)})" for item in others)
        yield "::endgroup::"
    yield f"pgcheck: {count_line(report)}"


def _of(report: Report, severity: Severity) -> list[Finding]:
    return [finding for finding in report.causes if finding.severity is severity]


def _command(finding: Finding) -> str:
    path, line = file_and_line(finding)
    text = "\n".join([message(finding), *(f"fix: {fix}" for fix in fix_lines(finding))])
    properties = f"file={_property(path)},line={line},title={_property(finding.pattern)}"
    return f"::{COMMANDS[finding.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Escaped as GitHub's own toolkit does it (@actions/core, escapeData)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
