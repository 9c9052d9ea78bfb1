"""A report in words, shared by the formats: safe to print, without secrets."""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from alembic_pgpatterns.findings.cost import rank
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.output.counts import counted, listed
from alembic_pgpatterns.output.safe_text import code, one_line, prose
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.patterns.types.integer_primary_key import IntegerPrimaryKey
from alembic_pgpatterns.remedies.fixable import why_not_fixable
from alembic_pgpatterns.remedies.model import Advice, ChangeType
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.report.places import displayed


def foremost(findings: Sequence[Finding], number: int) -> list[Finding]:
    """The findings to show if there is no room for all, in the order of the report.

    The most expensive are chosen first. Among equally expensive ones, the first finding of each pattern is chosen
    before the second of any, so that two hundred of one pattern do not hide the only one of another.

    Args:
        findings: the most expensive first, as in a report.
        number: how many at most.
    """
    seen: Counter[tuple[object, str]] = Counter()
    ranked = []
    for position, finding in enumerate(findings):
        kind = (rank(finding), finding.pattern)
        ranked.append((rank(finding), seen[kind], position))
        seen[kind] += 1
    return [findings[position] for position in sorted(position for _, _, position in sorted(ranked)[:number])]


def message(finding: Finding) -> str:
    """What is wrong, on one line."""
    return prose(finding.message)


def place(finding: Finding) -> str:
    """The file and line, and the revision; empty if neither is known."""
    parts = [str(displayed(finding.location))] if finding.location else []
    parts += [f"revision {finding.revision}"] if finding.revision else []
    return one_line(", ".join(parts))


def fix_lines(finding: Finding) -> tuple[str, ...]:
    """What to do: the model's lines, else the SQL, else the advice. Advice is given once for all of a cause."""
    if isinstance(finding.remedy, Advice):
        return _fix_lines(finding)
    return tuple(dict.fromkeys(line for item in (finding, *finding.also) for line in _fix_lines(item)))


def _fix_lines(finding: Finding) -> tuple[str, ...]:
    remedy = finding.remedy
    if remedy is None:
        return ()
    if isinstance(remedy, Advice):
        return (code(remedy.text),)
    return tuple(map(code, model_line(remedy, finding.call) or (f"{statement};" for statement in sql(remedy))))


def is_advice(finding: Finding) -> bool:
    """Whether the fix is prose and not code."""
    return isinstance(finding.remedy, Advice)


def advice_parts(text: str) -> tuple[tuple[str, str], ...]:
    """What to do, cut into prose and code, for formats that write the two differently.

    Args:
        text: of advice: words, code, or a line of words with lines below it.

    Returns:
        Each part's language, empty for prose, and its text.
    """
    if _is_python(text):
        return (("python", text),)
    first, _, rest = text.partition("\n")
    if not rest.strip():
        return (("", first),)
    return ("", first), ("python" if _is_python(rest) else "text", textwrap.dedent(rest))


def _is_python(text: str) -> bool:
    """Whether it is code that calls something: a single word of prose would be Python, too."""
    try:
        tree = ast.parse(textwrap.dedent(text.replace("\N{HORIZONTAL ELLIPSIS}", "...")))
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(tree))


def fixable(report: Report) -> tuple[Finding, ...]:
    """The findings that pgfix can fix by itself."""
    if not report.fixable:
        return ()
    return tuple(finding for finding in report.causes if _is_fixable(finding))


def _is_fixable(finding: Finding) -> bool:
    """Whether pgfix is likely to fix it: it refuses keys whose type would rewrite several tables."""
    remedy = finding.remedy
    of_keys = isinstance(remedy, ChangeType) and remedy.rewrites and len(remedy.changes) > 1
    return (
        why_not_fixable(remedy, guess=finding.guess) is None
        and not of_keys
        and finding.pattern != IntegerPrimaryKey.name
    )


def count_line(report: Report) -> str:
    """How many findings, of which severity; what was accepted and suppressed; what was not checked."""
    total = len(report.causes)
    counts = report.counts().items()
    parts = [f"{count} {severity_name(name, count)}" for name, count in counts if count]
    tail = f"; {len(report.accepted)} accepted by the baseline" if report.accepted else ""
    tail += f"; {report.suppressed} suppressed in models or revisions" if report.suppressed else ""
    tail += f"; not checked: {_whats(report.missed)}" if report.missed else ""
    tail += f"; skipped: {_whats(report.left_out)}" if report.left_out else ""
    if not total:
        return f"no findings{tail}"
    # Findings of the same cause are shown as one. The baseline has a line for each.
    repeated = f", {len(report.findings)} with all repetitions" if len(report.findings) > total else ""
    return f"{counted(total, 'findings')} ({', '.join(parts)}){repeated}{tail}"


def severity_name(name: str, count: int) -> str:
    """The name of a severity after a number of findings: "1 error", "2 errors", but "2 info"."""
    return f"{name}s" if count != 1 and name != str(Severity.INFO) else name


def found_out(report: Report) -> str | None:
    """What was found out about the project and used, on one line; None if its settings say everything."""
    reasons = [one_line(prose(item.reason)).rstrip(".") for item in report.found_out]
    return f"found out, and given to the project: {'; '.join(reasons)}" if reasons else None


def skipped_lines(items: Sequence[Skipped]) -> Iterator[tuple[str, bool]]:
    """What was not checked and why, one line per reason; and whether it should have been."""
    for lines, missed in skipped_texts(items):
        yield " ".join(lines), missed


def skipped_texts(items: Sequence[Skipped]) -> Iterator[tuple[list[str], bool]]:
    """The same with the lines that a reason has: it may end with settings, which are pasted as they stand."""
    for (expected, reason), alike in groupby(sorted(items, key=_reason), key=_reason):
        first, *others = map(one_line, code(reason).split("\n"))
        yield [f"{_whats(list(alike))}: {first}", *others], not expected


def _reason(item: Skipped) -> tuple[bool, str]:
    return (item.expected, item.reason)


def _whats(items: Sequence[Skipped]) -> str:
    return listed([one_line(item.subject) for item in items], 6)


def looked_at(report: Report) -> str:
    """What was checked: revisions, tables, the server."""
    facts = report.facts
    counts = ", ".join(counted(int(str(facts[key])), key) for key in ("revisions", "tables") if key in facts)
    return one_line(f"{counts} on {facts.get('server', 'no server')}")
