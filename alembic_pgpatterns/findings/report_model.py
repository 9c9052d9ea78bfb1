"""The result of a check as data: findings, accepted findings, and what was not checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline, escaped
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.findings.cost import rank
from alembic_pgpatterns.findings.skipped import FoundOut, Skipped
from alembic_pgpatterns.patterns import Finding, Pattern, SchemaPattern, Severity, registry
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Schema

MANY = 20
"""Number of findings from which the report suggests --write-baseline."""


@dataclass
class Gathered:
    """The collected results of a check; `Report.of` makes the report from them.

    Attributes:
        findings: all findings that the models and files do not suppress, in any order.
        suppressed: how many the models and files suppress.
        skipped: what was not checked; repetitions are allowed.
        hints: what the user could do next, one line each.
        facts: what was checked, for the summary: "tables", "revisions", "server" and so on.
        heads: the revisions that the schema is at.
        runs: what the revisions in scope did, in order.
        known_new: whether a baseline or a flag says that these are the new revisions.
        of_models: fingerprints of findings that autogenerate would fix in the models alone.
        schemas: of each database at head, with its name for messages, which is empty if there is only one.
        kinds: the kinds of patterns that ran.
        guesses: findings that no query of the application supports, in any order.
        fixable: whether pgfix can work on this project and on what was checked.
        found_out: what was given to the project because nothing could be checked without it.
    """

    findings: list[Finding] = field(default_factory=list)
    suppressed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    facts: Mapping[str, object] = field(default_factory=dict)
    heads: tuple[str, ...] = ()
    runs: tuple[RevisionRun, ...] = ()
    known_new: bool = True
    of_models: tuple[str, ...] = ()
    schemas: tuple[tuple[str, Schema], ...] = ()
    kinds: tuple[type[Pattern], ...] = (SchemaPattern,)
    guesses: list[Finding] = field(default_factory=list)
    fixable: bool = True
    found_out: tuple[FoundOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    Attributes:
        findings: new ones, the most expensive first, then by table.
        causes: the same for people: findings of one cause as one, the others in its ``also``.
        accepted: those in the baseline.
        suppressed: how many findings the models' ``info`` and comments in revisions suppress.
        stale: baseline entries that match no finding any more.
        skipped: what was not checked.
        hints: what the user could do next, one line each.
        facts: what was checked, for the summary: "tables", "revisions", "server" and so on.
        heads: the revisions that the schema is at.
        runs: what the revisions in scope did, in order.
        known_new: whether a baseline or a flag says that these are the new revisions. What others do is said once.
        of_models: fingerprints of findings that autogenerate would fix in the models, whatever the database has.
            Entries of the baseline that match them are not stale.
        fixable: whether pgfix can work on this project and on what was checked.
        fail_on: the lowest severity that fails the run.
        schemas: of each database at head, with its name for messages, which is empty if there is only one.
        guesses: findings without support by a query and not in the baseline. They never fail the run.
        show_guesses: whether the formats for people show them.
        found_out: what was given to the project because nothing could be checked without it.
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
    known_new: bool = True
    of_models: tuple[str, ...] = ()
    fixable: bool = True
    fail_on: Severity = Severity.WARNING
    schemas: tuple[tuple[str, Schema], ...] = ()
    guesses: tuple[Finding, ...] = ()
    show_guesses: bool = False
    found_out: tuple[FoundOut, ...] = ()
    causes: tuple[Finding, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        old = () if self.known_new else tuple(dict.fromkeys(run.revision for run in self.runs))
        object.__setattr__(self, "causes", by_cause(self.findings, old))

    @classmethod
    def of(cls, gathered: Gathered, baseline: Baseline | None, settings: Settings) -> Report:
        """The report of a check's results: sorted, without the findings in the baseline.

        Args:
            gathered: the results.
            baseline: None if the project has none.
            settings: which patterns are selected, and the name of the baseline file.
        """
        accepts = (baseline or Baseline()).accepts
        new = sorted((item for item in gathered.findings if not accepts(item.fingerprint)), key=_order)
        guesses = sorted((item for item in gathered.guesses if not accepts(item.fingerprint)), key=_order)
        return cls(
            findings=tuple(new),
            accepted=tuple(item for item in gathered.findings if accepts(item.fingerprint)),
            suppressed=gathered.suppressed,
            stale=tuple(_stale(gathered, baseline or Baseline(), settings)),
            skipped=tuple(dict.fromkeys(gathered.skipped)),
            hints=(
                *_adoption_hint(len(new), baseline, settings),
                *gathered.hints,
                *_guesses_hint(len(guesses), settings),
            ),
            facts=gathered.facts,
            heads=gathered.heads,
            runs=gathered.runs,
            known_new=gathered.known_new,
            of_models=gathered.of_models,
            fixable=gathered.fixable,
            fail_on=settings.fail_on,
            schemas=gathered.schemas,
            guesses=tuple(guesses),
            show_guesses=settings.guesses,
            found_out=gathered.found_out,
        )

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of this severity or worse."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)

    @property
    def broken(self) -> tuple[Skipped, ...]:
        """What was not checked because of an error in the project."""
        return tuple(item for item in self.skipped if item.broken)

    @property
    def missed(self) -> tuple[Skipped, ...]:
        """What should have been checked but was not."""
        return tuple(item for item in self.skipped if not item.expected)

    @property
    def left_out(self) -> tuple[Skipped, ...]:
        """What the project or its settings exclude from the check."""
        return tuple(item for item in self.skipped if item.expected and not item.routine)

    def counts(self) -> dict[str, int]:
        """Number of findings by severity, the worst first; zeros are included. One cause counts once."""
        counted = Counter(str(finding.severity) for finding in self.causes)
        return {str(severity): counted[str(severity)] for severity in sorted(Severity, reverse=True)}

    def by_pattern(self) -> dict[str, int]:
        """Number of findings by pattern, the most frequent first. One cause counts once."""
        return dict(Counter(finding.pattern for finding in self.causes).most_common())


def _order(finding: Finding) -> tuple[object, ...]:
    return (*rank(finding), str(finding.table or ""), finding.object, finding.pattern)


def _stale(gathered: Gathered, baseline: Baseline, settings: Settings) -> Iterator[str]:
    """Entries of patterns that ran and that match no finding. Nothing is known about the other patterns."""
    skipped = {item.subject for item in gathered.skipped}
    ran = {pattern.name for pattern in chosen_patterns(settings, gathered.kinds)} - skipped
    of_models = set(map(escaped, gathered.of_models))
    reported = (*gathered.findings, *gathered.guesses)
    for entry in baseline.stale(finding.fingerprint for finding in reported):
        name = entry.partition(" ")[0]
        if (name in ran or name not in registry()) and entry not in of_models:
            yield entry


def _guesses_hint(guesses: int, settings: Settings) -> Iterable[str]:
    if guesses and not settings.guesses:
        number = "1 guess" if guesses == 1 else f"{guesses} guesses"
        yield f"{number} without evidence in the application's queries: --guesses shows them."


def _adoption_hint(findings: int, baseline: Baseline | None, settings: Settings) -> Iterable[str]:
    if baseline is None and findings >= MANY:
        yield (
            "An old project? `alembic pgcheck --write-baseline` accepts all present findings "
            f"({settings.baseline}); afterwards only new ones are reported."
        )
