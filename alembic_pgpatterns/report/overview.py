"""The first screen of a large report: per pattern a count and its worst example, then the tables with most findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from alembic_pgpatterns.findings.cost import cost_of, rank
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.lines import Line, height
from alembic_pgpatterns.report.words import fix_lines, fixable, message, place

FEWEST = 3
"""Patterns that have an example however little room there is; others get one while there is room."""
LINES = 2
"""Patterns of a group that have a line of their own however little room there is; the others may share one."""
TABLES = 8
"""Tables that are named as those with most findings, at most."""
LONGEST = 160
"""Characters of a message or a fix that are shown at most; --all shows the whole."""
MESSAGE = 2
"""Lines of a terminal that an example's message may take; its fix takes one."""
_LEAD = "           "

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
    width = _width(report)
    yield from (_count(kind, width, styles) for kind in kinds(report))


def overview(report: Report, styles: Styles, width: int, room: int) -> list[Line]:
    """Patterns by what they cost, the first ones with their worst example; then the tables with most findings.

    Args:
        report: with many findings.
        styles: of severities.
        width: columns of a line.
        room: lines. Examples are left out where there is none, except the first three; the counts never are.
    """
    ordered, tables = kinds(report), list(_tables(report, width))
    examples = [list(_example(kind.worst, width)) for kind in ordered]
    tall = [height(example, width) for example in examples]
    each = list(pattern_counts(report, styles))
    high = height(tables, width)
    for most in range(len(ordered), min(LINES, len(ordered)) - 1, -1):
        counts = list(_counts(ordered, each, most))
        named = [number for number, _ in counts if number >= 0]
        left = room - high - height((line for _, line in counts), width) - sum(tall[n] for n in named[:FEWEST])
        if left >= 0:
            break
    shown = set(named[:FEWEST])
    for number in named[FEWEST:]:
        left -= tall[number]
        if left < 0:
            break
        shown.add(number)
    lines = [part for number, line in counts for part in (line, *(examples[number] if number in shown else ()))]
    return [*lines, *tables]


def _counts(ordered: list[Kind], lines: list[Line], most: int) -> Iterator[tuple[int, Line]]:
    """The line of each pattern, with its number in the order; -1: a line of something else. ``most``: of each group."""
    yield -1, Line("", Text())
    for group, members in groupby(enumerate(ordered), key=lambda item: _group(item[1])):
        yield -1, Line("", Text(group, "bold underline"))
        of_group = list(members)
        # For a single one, a line of its own takes no more room.
        rest = of_group[most:] if len(of_group) > most + 1 else []
        for number, _ in of_group[: len(of_group) - len(rest)]:
            yield number, lines[number]
        if rest:
            names = ", ".join(f"{kind.worst.pattern} ({len(kind.findings)})" for _, kind in rest)
            yield -1, Line("  ", Text(f"and {names}"), 4)


def _group(kind: Kind) -> str:
    of_infos = kind.worst.severity is Severity.INFO
    return ("suggestions" if of_infos else str(cost_of(kind.worst.pattern))).capitalize()


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


def _example(finding: Finding, width: int) -> Iterator[Line]:
    where, room = place(finding), width - len(_LEAD) - 1
    where = f" ({where})" if where else ""
    text = message(finding)
    longest = min(LONGEST, MESSAGE * room - len(where))
    shown = text if len(text) <= longest else f"{shorten(text, max(longest - 2, room // 2))} …"
    yield Line(_LEAD, Text(f"{shown}{where}", "dim"))
    lines = [line for fix in fix_lines(finding) for line in fix.split("\n") if line.strip()]
    if lines:
        shown = shorten(lines[0], min(LONGEST, room - 2))
        more = " …" if len(lines) > 1 or shown != lines[0] else ""
        yield Line("      fix  ", Text(shown + more, "green"), 2)


def shorten(text: str, length: int) -> str:
    """The text, or as many of its whole words as there is room for."""
    if len(text) <= length:
        return text
    end = text.rfind(" ", 1, length + 1)  # -1 if the first word has no room
    return text[: max(end, 0)].rstrip() or text[:length]


def _tables(report: Report, width: int) -> Iterator[Line]:
    """The tables with most findings, as many as one line has room for, but three at least."""
    counted = Counter(str(finding.table) for finding in report.findings if finding.table is not None)
    names = [f"{one_line(table)} ({count})" for table, count in counted.most_common(TABLES)]
    for shown in range(len(names), 0, -1):
        more = f", and {len(counted) - shown} more" if len(counted) > shown else ""
        line = Line("", Text.assemble(("Tables with most findings: ", "bold"), ", ".join(names[:shown]), more), 2)
        if shown <= FEWEST or height([line], width) == 1:
            yield Line("", Text())
            yield line
            return
