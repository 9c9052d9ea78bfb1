"""The patterns of statements on a workload, with baseline and suppressions."""

from __future__ import annotations

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.findings.run_patterns import unique
from alembic_pgpatterns.findings.suppressions import apply_suppressions
from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import SOURCE, Workload


def check_statements(workload: Workload, settings: Settings, schema: Schema | None = None) -> Report:
    """What the selected patterns say of a workload.

    Args:
        workload: recorded or imported.
        settings: which patterns are selected, and where the baseline is.
        schema: at head, where it is known.

    Raises:
        PgPatternsError: a pattern failed, or the baseline cannot be read.
    """
    gathered = Gathered(kinds=(StatementPattern,))
    calls = sum(statement.calls for statement in workload.statements)
    gathered.facts = {"statements": len(workload.statements), "calls": calls}
    gather_statements(workload, settings, schema, gathered)
    return Report.of(gathered, Baseline.read(settings.path(settings.baseline)), settings)


def gather_statements(workload: Workload, settings: Settings, schema: Schema | None, gathered: Gathered) -> None:
    """Add what the selected patterns of statements find, without what comments at the lines suppress."""
    patterns = [
        item
        for item in chosen_patterns(settings, (StatementPattern,))
        if isinstance(item, StatementPattern) and (item.of_source or workload.source != SOURCE)
    ]
    findings = list(unique(finding for pattern in patterns for finding in _run(pattern, workload, schema)))
    paths = [finding.location.path for finding in findings if finding.location is not None]
    # A comment for a pattern that found nothing this time may have its use in another recording: nobody complains.
    kept = apply_suppressions(findings, paths, frozenset())
    gathered.findings += kept.findings
    gathered.suppressed += kept.suppressed


def _run(pattern: StatementPattern, workload: Workload, schema: Schema | None) -> list[Finding]:
    try:
        return list(pattern.detect(workload, schema))
    except Exception as error:
        raise PgPatternsError(
            f"The pattern {pattern.name} failed: {type(error).__name__}: {error}. This is a mistake in the pattern; "
            f"please report it. Until then leave it out: --ignore {pattern.name}."
        ) from error
