"""A finding in words, shared by the formats for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.sql import sql


def foremost(findings: Sequence[Finding], number: int) -> list[Finding]:
    """The worst findings in their order; within a severity each pattern's first come before any pattern's second.

    Two hundred of one kind then do not hide the one of another.
    """
    seen: Counter[tuple[int, str]] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for position, finding in enumerate(findings):
        kind = (finding.severity, finding.pattern)
        ranked.append((-finding.severity, seen[kind], position))
        seen[kind] += 1
    return [findings[position] for position in sorted(position for _, _, position in sorted(ranked)[:number])]


def fix_lines(finding: Finding) -> tuple[str, ...]:
    """What to do: the model's lines, else the SQL, else the advice."""
    remedy = finding.remedy
    if remedy is None:
        return ()
    if isinstance(remedy, Advice):
        return (remedy.text,)
    return model_line(remedy) or tuple(f"{statement};" for statement in sql(remedy))


def count_line(report: Report) -> str:
    """How many there are, of which severity; what was accepted and suppressed."""
    total = len(report.findings)
    counts = report.counts().items()
    parts = [f"{count} {name}{'s' if count != 1 and name != 'info' else ''}" for name, count in counts if count]
    tail = f"; {len(report.accepted)} accepted by the baseline" if report.accepted else ""
    tail += f"; {report.suppressed} suppressed in the models" if report.suppressed else ""
    if not total:
        return f"no findings{tail}"
    return f"{total} finding{'s' if total != 1 else ''} ({', '.join(parts)}){tail}"


def looked_at(report: Report) -> str:
    """What was looked at: revisions, tables, the server."""
    facts = report.facts
    looked = ", ".join(_counted(facts[key], key) for key in ("revisions", "tables") if key in facts)
    return f"{looked} on {facts.get('server', 'no server')}"


def _counted(number: object, plural: str) -> str:
    return f"{number} {plural.removesuffix('s') if number == 1 else plural}"
