"""One cause, one finding: a mixin's column in thirty tables, or a setting that every revision lacks, is said once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern, Severity, registry
from alembic_pgpatterns.remedies.model import Advice

NAMED = 3
"""Other places that a message names; the rest are counted."""


def by_cause(findings: Sequence[Finding], old: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings, in their order, each cause once: the first of it has the others in ``also``.

    Args:
        findings: the findings.
        old: the revisions, in their order, of which nobody says that they are new. They are in production for all that
            is known, and nobody writes them again: what several of them do is a habit, which is said once, of the
            newest that has it.
    """
    groups = _Groups(findings)
    for position, finding in enumerate(findings):
        if finding.revision in old and _is_habit(finding):
            groups.join(position, (*_kind(finding), finding.cause, "habit"))
    at_line: Counter[Hashable] = Counter()
    for position, finding in enumerate(findings):
        # One line in several tables is a mixin's. What else a table has on that line is of another cause. What one
        # line of a revision does several times, a loop or a script does.
        line = (*_kind(finding), finding.location, finding.table)
        at_line[line] = 1 if _is_of_revision(finding) else at_line[line] + 1
        for key in _keys(finding, at_line[line]):
            groups.join(position, key)
    left = [members for members in groups.members() if len(members) == 1]
    for (position,) in left:
        finding = findings[position]
        if _fold(finding) is Fold.TABLE and finding.table is not None:
            groups.join(position, (*_kind(finding), finding.table))
    ages = {revision: -position for position, revision in enumerate(old)}
    return tuple(_combined(*_leader([findings[item] for item in members], ages)) for members in groups.members())


def _leader(group: list[Finding], ages: Mapping[str, int]) -> tuple[Finding, list[Finding]]:
    """The finding that stands for a group, and the others: of the newest revision, what it does first."""
    if _fold(group[0]) is Fold.REVISION or (_is_habit(group[0]) and group[0].revision in ages):
        group = sorted(group, key=lambda finding: (ages.get(finding.revision or "", 0), _line(finding)))
    elif any(_has_steps(finding) for finding in group):
        # The fix is shown of the first alone. What only this one cannot have, such as an index that stands in the way,
        # would be read as true of all.
        group = sorted(group, key=lambda finding: (not _has_steps(finding), -finding.weight))
    else:
        group = sorted(group, key=lambda finding: -finding.weight)
    return group[0], group[1:]


def _has_steps(finding: Finding) -> bool:
    return finding.remedy is not None and not isinstance(finding.remedy, Advice)


@dataclass
class _Groups:
    """Positions of findings that belong together."""

    findings: Sequence[Finding]
    _group: list[int] = field(default_factory=list)
    _first: dict[Hashable, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._group = list(range(len(self.findings)))

    def join(self, position: int, key: Hashable) -> None:
        """Put a finding together with the first one of the same key."""
        other = self._first.setdefault(key, position)
        # The smaller number stands for the group, so that groups keep the order of their first findings.
        first, second = sorted((self._root(position), self._root(other)))
        self._group[second] = first

    def _root(self, position: int) -> int:
        while self._group[position] != position:
            position = self._group[position]
        return position

    def members(self) -> list[list[int]]:
        """The groups in the order of their first finding."""
        groups: dict[int, list[int]] = defaultdict(list)
        for position in range(len(self.findings)):
            groups[self._root(position)].append(position)
        return list(groups.values())


def _fold(finding: Finding) -> Fold:
    cls = registry().get(finding.pattern)
    return cls.fold if cls is not None else Fold.PLACE


def _line(finding: Finding) -> int:
    return finding.location.line if finding.location is not None else 0


def _is_habit(finding: Finding) -> bool:
    """Whether what a revision does says more about how revisions are written than about this one."""
    return _is_of_revision(finding) and finding.severity < Severity.ERROR and _fold(finding) is not Fold.NONE


def _is_of_revision(finding: Finding) -> bool:
    cls = registry().get(finding.pattern)
    return cls is not None and issubclass(cls, RevisionPattern)


def _kind(finding: Finding) -> tuple[Hashable, ...]:
    return finding.pattern, finding.severity


def _keys(finding: Finding, number: int) -> Iterator[Hashable]:
    """What it shares with the others of its cause; ``number``: which of its table's findings on that line it is."""
    fold = _fold(finding)
    if fold is Fold.ALL:
        yield (*_kind(finding), "all")
    elif fold is Fold.REVISION and finding.revision is not None:
        yield (*_kind(finding), "revision", finding.revision)
    elif finding.cause:
        yield (*_kind(finding), "cause", finding.cause)
    elif fold is not Fold.NONE:
        if finding.location is not None and fold is not Fold.REMEDY:
            yield (*_kind(finding), finding.location, number)
        if _has_steps(finding):
            yield (*_kind(finding), finding.remedy)


def _combined(first: Finding, others: list[Finding]) -> Finding:
    if not others:
        return first
    return first.but(message=f"{first.message}; {'; '.join(_also(first, others))}", also=tuple(others))


def _also(first: Finding, others: Sequence[Finding]) -> Iterator[str]:
    """Where it is besides, in words: objects of the same revision, then other revisions."""
    elsewhere = [other for other in others if _is_of_revision(first) and other.revision != first.revision]
    revisions = dict.fromkeys(str(other.revision) for other in elsewhere)
    here = [other for other in others if other not in elsewhere]
    objects = [item for item in dict.fromkeys(other.object for other in here) if item != first.object]
    if objects:
        yield f"also {listed(objects, NAMED)}"
    elif here:
        yield f"and in {len(here)} more {'place' if len(here) == 1 else 'places'}"
    if revisions:
        yield f"also in {'revision' if len(revisions) == 1 else 'revisions'} {listed(list(revisions), NAMED)}"
