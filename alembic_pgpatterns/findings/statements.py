"""Run the patterns about statements on a workload, with baseline and suppressions."""

from __future__ import annotations

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.detected import detected
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.findings.run_patterns import unique
from alembic_pgpatterns.findings.suppressions import apply_suppressions
from alembic_pgpatterns.patterns import StatementPattern
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import SOURCE, Workload


def check_statements(workload: Workload, settings: Settings, schema: Schema | None = None) -> Report:
    """The report of the selected patterns on a workload.

    Args:
        workload: recorded or imported.
        settings: selected patterns, and the baseline's file.
        schema: at head, if known.

    Raises:
        PgPatternsError: a pattern failed, or the baseline cannot be read.
    """
    gathered = Gathered(kinds=(StatementPattern,))
    calls = sum(statement.calls for statement in workload.statements)
    gathered.facts = {"statements": len(workload.statements), "calls": calls}
    gather_statements(workload, settings, schema, gathered)
    return Report.of(gathered, Baseline.read(settings.path(settings.baseline)), settings)


def gather_statements(workload: Workload, settings: Settings, schema: Schema | None, gathered: Gathered) -> None:
    """Add the findings of the selected patterns about statements, without those that comments suppress."""
    patterns = [
        item
        for item in chosen_patterns(settings, (StatementPattern,))
        if isinstance(item, StatementPattern) and (item.of_source or workload.source != SOURCE)
    ]
    findings = list(unique(finding for pattern in patterns for finding in detected(pattern, workload, schema)))
    paths = [finding.location.path for finding in findings if finding.location is not None]
    # A comment that suppresses nothing is not reported: another recording may have the finding.
    unsuppressed = apply_suppressions(findings, paths, frozenset())
    gathered.findings += [finding for finding in unsuppressed.findings if not finding.guess]
    gathered.guesses += [finding for finding in unsuppressed.findings if finding.guess]
    gathered.suppressed += unsuppressed.suppressed
