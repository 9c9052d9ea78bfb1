"""The first screen of a large report: per pattern a count and its worst example, then the tables with most findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text

from alembic_pgpatterns.findings.cost import Cost, cost_of, rank
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.lines import Line
from alembic_pgpatterns.report.words import fix_lines, fixable, message, place

EXAMPLES = 8
"""Patterns that are shown with an example; the others have one line each."""
TABLES = 8
"""Tables that are named as those with most findings."""
LONGEST = 160
"""Characters of a fix that are shown; --all shows the whole."""

Styles = Mapping[Severity, str]


@dataclass(frozen=True)
class Kind:
    """The findings of one pattern and one severity. ``fixable``: how many pgfix can fix."""

    findings: tuple[Finding, ...]
    fixable: int

    @property
    def worst(self) -> Finding:
        """The first one, in the order of the report."""
        return self.findings[0]


def kinds(report: Report) -> list[Kind]:
    """The findings by pattern and severity: the most expensive first, then the most frequent."""
    curable = {id(finding) for finding in fixable(report)}
    groups: dict[tuple[str, Severity], list[Finding]] = defaultdict(list)
    for finding in report.causes:
        groups[finding.pattern, finding.severity].append(finding)
    result = [Kind(tuple(of_kind), sum(id(item) in curable for item in of_kind)) for of_kind in groups.values()]
    return sorted(result, key=lambda kind: (rank(kind.worst), -len(kind.findings), kind.worst.pattern))


def pattern_counts(report: Report, styles: Styles) -> Iterator[Line]:
    """One line per pattern."""
    yield from (_count(kind, _width(report), styles) for kind in kinds(report))


def overview(report: Report, styles: Styles) -> Iterator[Line]:
    """Patterns by what they cost, the first ones with their worst example; then the tables with most findings."""
    shown: Cost | str | None = None
    for number, kind in enumerate(kinds(report)):
        group = "suggestions" if kind.worst.severity is Severity.INFO else cost_of(kind.worst.pattern)
        if group != shown:
            shown = group
            yield Line("", Text())
            yield Line("", Text(str(group).capitalize(), "bold underline"))
        yield _count(kind, _width(report), styles)
        if number < EXAMPLES:
            yield from _example(kind.worst)
    yield from _tables(report)


def _width(report: Report) -> int:
    return max((len(finding.pattern) for finding in report.causes), default=0)


def _count(kind: Kind, width: int, styles: Styles) -> Line:
    severity, total = kind.worst.severity, len(kind.findings)
    some = "" if kind.fixable == total else f"{kind.fixable} "
    mark = f"  [{some}fixable]" if kind.fixable else ""
    name = f"{kind.worst.pattern:{width}}"
    return Line(
        "  ", Text.assemble((f"{severity!s:7}", styles[severity]), "  ", name, f"  {total:>5}", (mark, "green"))
    )


def _example(finding: Finding) -> Iterator[Line]:
    where = place(finding)
    yield Line("           ", Text(f"{message(finding)}{f' ({where})' if where else ''}", "dim"))
    lines = [line for fix in fix_lines(finding) for line in fix.split("\n") if line.strip()]
    if lines:
        shown = shorten(lines[0], LONGEST)
        more = " …" if len(lines) > 1 or shown != lines[0] else ""
        yield Line("      fix  ", Text(shown + more, "green"), 2)


def shorten(text: str, length: int) -> str:
    """The text, or as many of its whole words as there is room for."""
    if len(text) <= length:
        return text
    end = text.rfind(" ", 1, length + 1)  # -1 if the first word has no room
    return text[: max(end, 0)].rstrip() or text[:length]


def _tables(report: Report) -> Iterator[Line]:
    counted = Counter(str(finding.table) for finding in report.findings if finding.table is not None)
    if counted:
        yield Line("", Text())
        most = ", ".join(f"{one_line(table)} ({count})" for table, count in counted.most_common(TABLES))
        more = f", and {len(counted) - TABLES} more" if len(counted) > TABLES else ""
        yield Line("", Text.assemble(("Tables with most findings: ", "bold"), most, more), 2)
