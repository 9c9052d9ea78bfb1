"""A revision as one file or a chain of them, each of which can be run again after a failure half-way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from alembic.operations import ops
from alembic.util import rev_id as random_id

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.planner import plan_back
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Planned, Step

MAX_ID = 32
"""alembic_version.version_num is VARCHAR(32)."""
_RANDOM = re.compile(r"[0-9a-f]{12}")
_NUMBERED = re.compile(r"(?P<head>(?:.*\D)?)(?P<number>\d+)")
_DISTINCT = re.compile(r"%\((?:rev|slug)\)")


@dataclass(frozen=True, slots=True)
class Part:
    """What one file does, forward and back."""

    up: tuple[Step, ...]
    down: tuple[Step, ...]


Member = tuple[Planned, Step]


def parts(planned: Sequence[Planned], facts: Facts, split: str) -> list[Part]:
    """The files of a revision.

    Args:
        planned: its changes, at their levels.
        facts: of the run.
        split: ``auto`` (only where one file could not be run again), ``never`` or ``always``.
    """
    members = sorted(((item, step) for item in planned for step in item.steps), key=lambda member: member[1].level)
    files = [members] if split == "never" else _cut(members)
    if split == "always":
        files = [piece for file in files for piece in _apart(file)]
    return [Part(tuple(step for _, step in file), tuple(_back(file, facts))) for file in files if file]


def _cut(members: Sequence[Member]) -> list[list[Member]]:
    """A new file wherever an autocommit block would commit ordinary DDL that the same file did before."""
    files: list[list[Member]] = [[]]
    for member in members:
        if member[1].level % 2 and any(_transactional(step) for _, step in files[-1]):
            files.append([])
        files[-1].append(member)
    return files


def _transactional(step: Step) -> bool:
    if step.level % 2 or step.up.directive:
        return False
    return any(not isinstance(op, CommentOp) for op in step.up.operations)


def _apart(file: Sequence[Member]) -> list[list[Member]]:
    """A file with every change that leaves the transaction in a file of its own."""
    leaving = list({id(item): item for item, step in file if step.level % 2}.values())
    own = [[(item, step) for item, step in file if item is one] for one in leaving]
    rest = [(item, step) for item, step in file if all(item is not one for one in leaving)]
    return [*own, rest]


def _back(file: Sequence[Member], facts: Facts) -> list[Step]:
    """The steps of a file's downgrade: the other way round, and safe by the same rules."""
    extra: list[Step] = []
    undoing: list[ops.MigrateOperation] = []
    here = [id(step) for _, step in file]
    for item, step in reversed(_by_change(file)):
        extra.extend(step.down)
        if any(id(other) not in here for other in item.steps):
            extra.extend(step.apart)
        if step.main:
            undoing.extend(item.change.down)
    return sorted([*extra, *plan_back(undoing, facts)], key=lambda step: step.level)


def _by_change(file: Sequence[Member]) -> list[Member]:
    """The members in the order that autogenerate gave their changes, whose reverse is the downgrade's."""
    order = {id(item): item.position for item, _ in file}
    return sorted(file, key=lambda member: (order[id(member[0])], member[1].level))


class RoadUpgradeOps(ops.UpgradeOps):
    """The upgrade as the road wrote it; `alembic check` still hears what autogenerate had found."""

    def __init__(
        self, operations: Sequence[ops.MigrateOperation], token: str, found: Sequence[ops.MigrateOperation]
    ) -> None:
        super().__init__(operations, upgrade_token=token)
        self.found = tuple(found)

    def as_diffs(self) -> list[object]:
        """The differences that autogenerate found."""
        return list(ops.UpgradeOps(self.found).as_diffs())


class FollowUp(ops.MigrationScript):
    """The next file of a chain. Its id and parent follow the previous one's, whatever a later hook makes of that."""

    def __init__(
        self,
        previous: ops.MigrationScript,
        upgrade: ops.UpgradeOps,
        downgrade: ops.DowngradeOps,
        message: str,
        known: Set[str],
    ) -> None:
        self.previous = previous
        self._known = frozenset(known)
        self._random = random_id()
        self._given: str | None = None
        super().__init__(
            None, upgrade, downgrade, message=message, imports=set(previous.imports), version_path=previous.version_path
        )

    @property
    def head(self) -> str | None:
        """The previous file's revision."""
        return self.previous.rev_id

    @head.setter
    def head(self, value: object) -> None:
        """Ignored: a chain has one parent."""

    @property
    def rev_id(self) -> str | None:
        """In the manner of the previous one's."""
        if self._given is not None and self._given != self.previous.rev_id:
            return self._given
        return next_id(str(self.previous.rev_id), self._known, self._random)

    @rev_id.setter
    def rev_id(self, value: str | None) -> None:
        """What a hook wants it to be."""
        self._given = value


def next_id(previous: str, known: Set[str], fallback: str) -> str:
    """The id that follows another: 0008 after 0007, random after random, ``name_2`` after ``name``.

    Args:
        previous: the id of the file before.
        known: ids that are taken.
        fallback: a random id.
    """
    if _RANDOM.fullmatch(previous) and not previous.isdigit():
        return fallback
    for candidate in _successors(previous):
        if len(candidate) > MAX_ID:
            break
        if candidate not in known:
            return candidate
    return fallback


def _successors(previous: str) -> Iterable[str]:
    found = _NUMBERED.fullmatch(previous)
    head, number = (found["head"], found["number"]) if found else (f"{previous}_", "1")
    for step in range(1, 1000):
        yield f"{head}{int(number) + step:0{len(number)}d}"


def why_not(context_script: object, token: str, several: bool) -> str | None:
    """Why a chain cannot be written here, or None."""
    if token != "upgrades":
        return "the revision holds several databases' changes"
    if several:
        return "a hook has made several revisions of it"
    if not _DISTINCT.search(str(getattr(context_script, "file_template", "%(rev)s"))):
        return "file_template has neither %(rev)s nor %(slug)s, so two files of one run would have one name"
    return None
