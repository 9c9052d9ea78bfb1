"""The report as GitLab's Code Quality JSON (docs.gitlab.com, "Code Quality report format")."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TextIO

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import json_text
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.places import file_and_line
from alembic_pgpatterns.report.words import fix_lines, message

SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """Write the array; it always holds every finding."""
    # ASCII: what a name may hold then stays an escape wherever the file is shown.
    stream.write(json_text(json.dumps([_issue(finding) for finding in report.findings], indent=2)) + "\n")


def _issue(finding: Finding) -> dict[str, Any]:
    path, line = file_and_line(finding)
    return {
        "description": ". ".join([message(finding), *(f"Fix: {fix}" for fix in fix_lines(finding))]),
        "check_name": finding.pattern,
        # GitLab asks for a unique text, such as a hash, and compares it with those of the target branch.
        "fingerprint": hashlib.sha256(finding.fingerprint.encode("utf-8", "surrogatepass")).hexdigest(),
        "severity": SEVERITIES[finding.severity],
        "location": {"path": path, "lines": {"begin": line}},
    }
