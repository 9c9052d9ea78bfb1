"""The findings of the patterns about a rehearsal, and the whole result."""

from __future__ import annotations

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.detected import detected
from alembic_pgpatterns.findings.run_patterns import unique
from alembic_pgpatterns.findings.suppressions import apply_suppressions
from alembic_pgpatterns.patterns import Finding, RehearsalPattern
from alembic_pgpatterns.rehearsal.model import Gathered, Rehearsal


def rehearsal_of(gathered: Gathered, settings: Settings) -> Rehearsal:
    """The result: findings that are neither suppressed in files nor accepted by the baseline, the worst first."""
    patterns = [item for item in chosen_patterns(settings, (RehearsalPattern,)) if isinstance(item, RehearsalPattern)]
    findings = [finding for run in gathered.rehearsed for pattern in patterns for finding in detected(pattern, run)]
    names = frozenset(pattern.name for pattern in patterns)
    unsuppressed = apply_suppressions(list(unique(findings)), (run.path for run in gathered.rehearsed), names)
    baseline = Baseline.read(settings.path(settings.baseline)) or Baseline()
    new = [finding for finding in unsuppressed.findings if not baseline.accepts(finding.fingerprint)]
    return Rehearsal(
        revisions=tuple(gathered.results),
        unfilled=tuple(gathered.unfilled.values()),
        findings=tuple(sorted(new, key=_order)),
        skipped=tuple(dict.fromkeys(gathered.skipped)),
        unrehearsed=tuple(gathered.unrehearsed.values()),
        runs=tuple(gathered.runs),
        facts={
            "server": gathered.server,
            "accepted": len(unsuppressed.findings) - len(new),
            "suppressed": unsuppressed.suppressed,
        },
    )


def _order(finding: Finding) -> tuple[int, str, str]:
    return (-finding.severity, finding.revision or "", finding.object)
