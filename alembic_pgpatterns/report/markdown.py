"""The report as Markdown, fit for a pull request's comment: the most expensive first, code as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TextIO

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.report.diagram.mermaid import pictures
from alembic_pgpatterns.report.markdown_text import block, code_span, escaped
from alembic_pgpatterns.report.places import displayed
from alembic_pgpatterns.report.words import (
    advice_parts,
    count_line,
    fix_lines,
    foremost,
    found_out,
    is_advice,
    looked_at,
    message,
    skipped_lines,
)

SHOWN = 50
"""Findings shown unless all are asked for."""
ROOM = 60_000
"""Characters that a comment may have; GitHub takes 65,536."""
PICTURE = 15_000
"""Characters that one picture may have; a larger one is left out, since findings matter more."""
FIXES = 4
"""Lines of one fix that are shown, unless all are asked for."""
MARKS = {Severity.ERROR: "🔴", Severity.WARNING: "🟡", Severity.INFO: "🔵"}


def write(report: Report, stream: TextIO, full: bool = False) -> None:
    """Write the comment: the count, what was not checked, the findings by table, hints."""
    stream.write(f"### pgcheck: {escaped(count_line(report))}\n\n{escaped(looked_at(report))}\n")
    if line := found_out(report):
        stream.write(f"\n{escaped(line)}\n")
    for line, missed in (*skipped_lines(report.missed), *skipped_lines(report.left_out)):
        stream.write(f"\n{'**Not checked:**' if missed else 'Skipped:'} {escaped(line)}\n")
    shown = report.causes if full else foremost(report.causes, SHOWN)
    drawn = "".join(_pictures(report))
    written = _write_findings(shown, stream, full, ROOM - len(drawn))
    if written < len(report.causes):
        stream.write(f"\n… and {len(report.causes) - written} more.\n")
    stream.write(drawn)
    for line, _ in skipped_lines([item for item in report.skipped if item.routine]):
        stream.write(f"\nSkipped: {escaped(line)}\n")
    for hint in report.hints:
        stream.write(f"\n{escaped(hint)}\n")


def _pictures(report: Report) -> Iterator[str]:
    for title, picture in pictures(report):
        if len(picture) <= PICTURE:
            # GitHub and GitLab draw Mermaid inside of <details> if empty lines surround it.
            yield f"\n<details><summary>{escaped(title)}</summary>\n\n```mermaid\n{picture}```\n\n</details>\n"


def _write_findings(findings: Sequence[Finding], stream: TextIO, full: bool, room: int) -> int:
    """Write as many as there is room for; returns how many that were."""
    written = 0
    for table, of_table in groupby(_by_table(findings), key=_group):
        heading = f"\n#### {code_span(table)}\n"
        for finding in of_table:
            text = heading + _item(finding, full)
            if len(text) > room and not full:
                return written
            stream.write(text)
            heading, room, written = "", room - len(text), written + 1
    return written


def _by_table(findings: Sequence[Finding]) -> list[Finding]:
    order: dict[str, int] = {}
    for position, finding in enumerate(findings):
        order.setdefault(_group(finding), position)
    return sorted(findings, key=lambda finding: order[_group(finding)])


def _group(finding: Finding) -> str:
    return str(finding.table) if finding.table is not None else "Project"


def _item(finding: Finding, full: bool) -> str:
    places = [code_span(str(displayed(finding.location)))] if finding.location else []
    places += [f"revision {code_span(finding.revision)}"] if finding.revision else []
    where = f" ({', '.join(places)})" if places else ""
    heading = f"\n- {MARKS[finding.severity]} **{finding.pattern}**: {escaped(message(finding))}{where}\n"
    return heading + "".join(_fix(finding, full))


def _fix(finding: Finding, full: bool) -> Iterator[str]:
    lines = fix_lines(finding)
    if not lines:
        return
    if is_advice(finding):
        for language, text in advice_parts(lines[0]):
            yield block(text, language, "  ") if language else f"\n  {escaped(text)}\n"
        return
    code = "\n".join(lines if full else lines[:FIXES])
    language = "python" if finding.remedy is not None and model_line(finding.remedy) else "sql"
    yield block(code, language, "  ")
    if not full and len(lines) > FIXES:
        yield f"\n  … and {len(lines) - FIXES} that change with it\n"
