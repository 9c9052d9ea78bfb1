"""The report as SARIF 2.1.0, for GitHub code scanning and others.

A finding without a place in a file of the repository is placed on alembic.ini, line 1: GitHub takes no result without
one.
"""

from __future__ import annotations

import json
import textwrap
from importlib.metadata import version
from typing import Any, TextIO

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import json_text, one_line
from alembic_pgpatterns.patterns import Finding, Pattern, Severity, registry
from alembic_pgpatterns.report.pages import WRITTEN, page
from alembic_pgpatterns.report.pattern_docs import title
from alembic_pgpatterns.report.places import uri_and_line
from alembic_pgpatterns.report.project_pages import pattern_url, project_url
from alembic_pgpatterns.report.words import fix_lines, message, skipped_lines

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
FINGERPRINT = "pgpatterns/v1"


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """Write the log; it always holds every finding, and those the baseline accepts as suppressed."""
    stream.write(json_text(json.dumps(document(report), indent=2)) + "\n")


def document(report: Report) -> dict[str, Any]:
    """The log as plain data."""
    names = sorted({finding.pattern for finding in (*report.findings, *report.accepted)})
    driver = {
        "name": "alembic-pgpatterns",
        "informationUri": project_url("Homepage"),
        "version": version("alembic-pgpatterns"),
        "rules": [_rule(registry()[name]) for name in names],
    }
    results = [_result(finding, names) for finding in report.findings]
    results += [
        {**_result(finding, names), "suppressions": [{"kind": "external", "justification": "accepted by the baseline"}]}
        for finding in report.accepted
    ]
    run = {
        "tool": {"driver": driver},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.missed,
                "toolExecutionNotifications": [
                    {"level": "error" if missed else "note", "message": {"text": text}}
                    for text, missed in skipped_lines(report.skipped)
                ],
            }
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(cls: type[Pattern]) -> dict[str, Any]:
    text = _help(cls)
    return {
        "id": cls.name,
        "shortDescription": {"text": title(cls)},
        "fullDescription": {"text": title(cls)},
        "helpUri": pattern_url(cls.name),
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": LEVELS[cls.severity]},
        "properties": {"tags": ["postgresql", cls.folder]},
    }


def _help(cls: type[Pattern]) -> str:
    """The pattern's page without its title, which is shown above it anyway, and without the note on who wrote it."""
    return page(cls).partition("\n")[2].replace(WRITTEN, "").lstrip("\n")


def _result(finding: Finding, names: list[str]) -> dict[str, Any]:
    path, line = uri_and_line(finding)
    text = "\n".join([message(finding), *(textwrap.indent(fix, "  ") for fix in fix_lines(finding))])
    return {
        "ruleId": finding.pattern,
        "ruleIndex": names.index(finding.pattern),
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}},
                "logicalLocations": [{"fullyQualifiedName": one_line(finding.object)}],
            }
        ],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
    }
