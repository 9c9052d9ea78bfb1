"""The report as JSON, version 1; ``report/schema-1.json`` is its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, TextIO

from alembic_pgpatterns.findings.cost import cost_of
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import json_text
from alembic_pgpatterns.output.secrets import without_passwords
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.fixable import why_not_fixable
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.report.places import displayed

VERSION = 1


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """Write the document; it always holds every finding. It is ASCII, so that names stay escapes in a terminal."""
    stream.write(json_text(json.dumps(document(report), indent=2, default=str)) + "\n")


def document(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "version": VERSION,
        "findings": [document_of(finding, report) for finding in report.causes],
        "guesses": [document_of(finding, report) for finding in report.guesses],
        "accepted": [finding.fingerprint for finding in report.accepted],
        "stale": list(report.stale),
        "skipped": [
            {"what": item.subject, "reason": without_passwords(item.reason), "expected": item.expected}
            for item in report.skipped
        ],
        "found_out": [
            {"reason": without_passwords(item.reason), "setting": item.setting, "value": _plain(item.value)}
            for item in report.found_out
        ],
        "summary": {
            **report.facts,
            "severities": report.counts(),
            "patterns": report.by_pattern(),
            "accepted": len(report.accepted),
            "suppressed": report.suppressed,
            "heads": list(report.heads),
        },
    }


def _plain(value: Any) -> Any:
    """A setting's value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    return without_passwords(value) if isinstance(value, str) else value


def schema() -> dict[str, Any]:
    """The published JSON Schema of this version."""
    text = (resources.files("alembic_pgpatterns.report") / f"schema-{VERSION}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def document_of(finding: Finding, report: Report) -> dict[str, Any]:
    """One finding of a report as plain data, with the others of its cause."""
    also = [_document(other, report) for other in finding.also]
    return {**_document(finding, report), **({"also": also} if also else {})}


def _document(finding: Finding, report: Report) -> dict[str, Any]:
    location = displayed(finding.location) if finding.location else None
    return {
        "pattern": finding.pattern,
        "severity": str(finding.severity),
        "object": finding.object,
        "message": without_passwords(finding.message),
        "location": {"path": location.path, "line": location.line} if location else None,
        "revision": finding.revision,
        "remedy": _remedy(finding.remedy, finding.call) if finding.remedy is not None else None,
        "fingerprint": finding.fingerprint,
        "cost": str(cost_of(finding.pattern)),
        "fixable": report.fixable and why_not_fixable(finding.remedy) is None,
    }


def _remedy(remedy: Remedy, call: str) -> dict[str, Any]:
    return {
        "kind": type(remedy).__name__,
        "model": list(map(without_passwords, model_line(remedy, call))),
        "sql": list(map(without_passwords, sql(remedy))),
        "advice": without_passwords(remedy.text) if isinstance(remedy, Advice) else None,
    }
