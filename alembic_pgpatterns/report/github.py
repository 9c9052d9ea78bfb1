"""The report as workflow commands of GitHub Actions: annotations on the lines of a pull request."""

from __future__ import annotations

from typing import TextIO

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.places import file_and_line
from alembic_pgpatterns.report.words import count_line, fix_lines

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """One command a finding, then the count as a plain line."""
    for finding in report.findings:
        stream.write(_command(finding) + "\n")
    stream.write(f"pgcheck: {count_line(report)}\n")


def _command(finding: Finding) -> str:
    path, line = file_and_line(finding)
    text = "\n".join([finding.message, *(f"fix: {fix}" for fix in fix_lines(finding))])
    properties = f"file={_property(path)},line={line},title={_property(finding.pattern)}"
    return f"::{COMMANDS[finding.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Escaped as GitHub's own toolkit does it (@actions/core, escapeData)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
