"""What a check says: findings, what is accepted, and what could not be looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.revisions.model import RevisionRun


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not looked at, and why.

    ``broken``: because the project does not work here, so that the check does not pass, whatever else it found.
    """

    what: str
    reason: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    Attributes:
        findings: what is new, the worst first, then by table.
        accepted: what the baseline accepts.
        suppressed: how many findings the models' own ``info`` silences.
        stale: baseline entries that match nothing any more.
        skipped: what was not looked at.
        hints: what the user might do next, a line each.
        facts: what was looked at, for the summary: "tables", "revisions", "server" and so on.
        heads: the revisions the schema is at.
        runs: what the revisions in scope did, in order.
        of_models: fingerprints of what autogenerate would enforce on the models, whatever the database has; for the
            baseline, since models say things that no revision made.
    """

    findings: tuple[Finding, ...] = ()
    accepted: tuple[Finding, ...] = ()
    suppressed: int = 0
    stale: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    hints: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    heads: tuple[str, ...] = ()
    runs: tuple[RevisionRun, ...] = ()
    of_models: tuple[str, ...] = ()

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of this severity or worse."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)

    @property
    def broken(self) -> bool:
        """Whether something could not be looked at since the project does not work here."""
        return any(item.broken for item in self.skipped)

    def counts(self) -> dict[str, int]:
        """Findings by severity, the worst first; zeros are there."""
        counted = Counter(str(finding.severity) for finding in self.findings)
        return {str(severity): counted[str(severity)] for severity in sorted(Severity, reverse=True)}

    def by_pattern(self) -> dict[str, int]:
        """Findings by pattern, the most frequent first."""
        return dict(Counter(finding.pattern for finding in self.findings).most_common())
