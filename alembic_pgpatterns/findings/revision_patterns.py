"""Run the patterns of revisions and of their history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alembic_pgpatterns.findings.detected import detected
from alembic_pgpatterns.findings.suppressions import Unsuppressed, apply_suppressions
from alembic_pgpatterns.patterns import Finding, HistoryPattern, Pattern, RevisionPattern, registry
from alembic_pgpatterns.patterns._growth import links_short_lists, stays_short
from alembic_pgpatterns.patterns.indexes._links import link_columns
from alembic_pgpatterns.revisions.model import History, RevisionRun


def about_a_revision(finding: Finding) -> bool:
    """Whether the finding is about a traced revision, and not about the schema or the whole history."""
    pattern = registry().get(finding.pattern)
    return pattern is not None and needs_traces(pattern)


def needs_traces(pattern: type[Pattern]) -> bool:
    """Whether what a pattern finds depends on the revisions that are traced."""
    return issubclass(pattern, RevisionPattern) or (issubclass(pattern, HistoryPattern) and pattern.of_scope)


def run_revision_patterns(patterns: Sequence[Pattern], runs: Sequence[RevisionRun]) -> Unsuppressed:
    """The findings for each revision, without those that its file suppresses."""
    findings = [finding for run in runs for finding in _of_run(patterns, run)]
    return apply_suppressions(findings, (run.path for run in runs), frozenset(pattern.name for pattern in patterns))


def _of_run(patterns: Iterable[Pattern], run: RevisionRun) -> Iterator[Finding]:
    for pattern in patterns:
        if isinstance(pattern, RevisionPattern):
            for finding in detected(pattern, run):
                yield finding.but(guess=True) if pattern.weighs_rows and _is_short(finding, run) else finding


def _is_short(finding: Finding, run: RevisionRun) -> bool:
    """Whether what waits, waits for a moment: until a list that people fill is read or indexed."""
    table = run.before.table(finding.table) if finding.table is not None else None
    if table is None or any(name == table.name for name, _ in run.rows):
        return False  # where the rows are known, the pattern has weighed them
    return stays_short(run.before, table) or (link_columns(table) is not None and links_short_lists(run.before, table))


def run_history_patterns(patterns: Iterable[Pattern], history: History) -> list[Finding]:
    """The findings of the patterns for the history as a whole."""
    return [
        finding for pattern in patterns if isinstance(pattern, HistoryPattern) for finding in detected(pattern, history)
    ]
