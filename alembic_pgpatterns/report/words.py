"""A finding in words, shared by the formats for people."""

from __future__ import annotations

from alembic_pgpatterns.pattern import Finding
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.result import Report


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
    looked = ", ".join(f"{facts[key]} {key}" for key in ("revisions", "tables") if key in facts)
    return f"{looked} on {facts.get('server', 'no server')}"
