"""The report as JUnit XML: a test suite, a failing test case a finding, as CI systems show it."""

from __future__ import annotations

from typing import TextIO
from xml.etree import ElementTree

from alembic_pgpatterns.findings.report_model import Report, Skipped
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.report.words import fix_lines, looked_at


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """Write the document; it always holds every finding, and a passing case where there is none."""
    suite = ElementTree.Element(
        "testsuite",
        name="alembic pgcheck",
        tests=str(max(len(report.findings), 1) + len(report.skipped)),
        failures=str(len(report.findings)),
        skipped=str(len(report.skipped)),
        errors="0",
    )
    suite.extend(_case(finding) for finding in report.findings)
    if not report.findings:
        ElementTree.SubElement(suite, "testcase", classname="pgcheck", name=_printable(looked_at(report)))
    suite.extend(_skipped(item) for item in report.skipped)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    stream.write('<?xml version="1.0" encoding="utf-8"?>\n')
    stream.write(ElementTree.tostring(root, encoding="unicode") + "\n")


def _case(finding: Finding) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=finding.pattern, name=_printable(finding.object))
    if finding.location:
        case.set("file", _printable(finding.location.path))
        case.set("line", str(finding.location.line))
    failure = ElementTree.SubElement(case, "failure", type=str(finding.severity), message=_printable(finding.message))
    places = [f"at {finding.location}"] if finding.location else []
    places += [f"revision {finding.revision}"] if finding.revision else []
    failure.text = _printable("\n".join([finding.message, *places, *(f"fix: {fix}" for fix in fix_lines(finding))]))
    return case


def _skipped(item: Skipped) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="pgcheck", name=_printable(item.what))
    ElementTree.SubElement(case, "skipped", message=_printable(item.reason))
    return case


def _printable(text: str) -> str:
    """XML 1.0 has no way to write most control characters, and identifiers may hold them."""
    return "".join(char if char in "\t\n" or ord(char) >= 32 else "\N{REPLACEMENT CHARACTER}" for char in text)
