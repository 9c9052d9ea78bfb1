"""The report as JUnit XML: one test case per finding, as CI systems show it; it fails from ``fail_on`` on."""

from __future__ import annotations

from typing import TextIO
from xml.etree import ElementTree

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.output.safe_text import inert, one_line
from alembic_pgpatterns.output.secrets import without_passwords
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.report.places import displayed
from alembic_pgpatterns.report.words import fix_lines, looked_at, message


def write(report: Report, stream: TextIO, full: bool = True) -> None:
    """Write the document; it always holds every finding, and a passing case if there is none."""
    failing = report.at_least(report.fail_on)
    cases = [_case(finding, finding.severity >= report.fail_on) for finding in report.findings]
    if not cases:
        cases = [ElementTree.Element("testcase", classname="pgcheck", name=inert(looked_at(report)))]
    cases += [_skipped(item) for item in report.skipped]
    suite = ElementTree.Element(
        "testsuite",
        name="alembic pgcheck",
        tests=str(len(cases)),
        failures=str(len(failing)),
        skipped=str(len(report.skipped)),
        errors="0",
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    stream.write('<?xml version="1.0" encoding="utf-8"?>\n')
    stream.write(ElementTree.tostring(root, encoding="unicode") + "\n")


def _case(finding: Finding, fails: bool) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=finding.pattern, name=inert(one_line(finding.object)))
    if finding.location:
        case.set("file", inert(one_line(displayed(finding.location).path)))
        case.set("line", str(finding.location.line))
    places = [f"at {displayed(finding.location)}"] if finding.location else []
    places += [f"revision {finding.revision}"] if finding.revision else []
    text = inert("\n".join([message(finding), *map(one_line, places), *(f"fix: {fix}" for fix in fix_lines(finding))]))
    if fails:
        summary = inert(message(finding))
        ElementTree.SubElement(case, "failure", type=str(finding.severity), message=summary).text = text
    else:
        ElementTree.SubElement(case, "system-out").text = f"{finding.severity}: {text}"
    return case


def _skipped(item: Skipped) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="pgcheck", name=inert(one_line(item.subject)))
    reason = without_passwords(item.reason)
    ElementTree.SubElement(case, "skipped", message=inert(reason if item.expected else f"not checked: {reason}"))
    return case
