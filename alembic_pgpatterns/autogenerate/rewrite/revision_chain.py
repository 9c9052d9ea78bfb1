"""Write a revision as one file or a chain of files. Each can run again after it failed half-way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from alembic.operations import ops
from alembic.util import rev_id as random_id

from alembic_pgpatterns.autogenerate.rewrite.changes import table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.planner import plan_back
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Planned, Step

MAX_ID = 32
"""alembic_version.version_num is VARCHAR(32)."""
# As Alembic makes them (util.rev_id): the last twelve digits of a UUID.
_RANDOM = re.compile(r"[0-9a-f]{12}")
_NUMBERED = re.compile(r"(?P<head>(?:.*\D)?)(?P<number>\d+)")
_DISTINCT = re.compile(r"%\((?:rev|slug)\)")


@dataclass(frozen=True, slots=True)
class Part:
    """The upgrade and the downgrade of one file. ``contract``: it waits until no old code runs."""

    up: tuple[Step, ...]
    down: tuple[Step, ...]
    contract: bool = False


Member = tuple[Planned, Step]


def parts(planned: Sequence[Planned], facts: Facts, split: str) -> list[Part]:
    """Return the files of a revision.

    Args:
        planned: its changes, at their levels.
        facts: the facts of the run.
        split: ``auto`` (only if one file could not run again), ``never`` or ``always``.
    """
    members = sorted(((item, step) for item in planned for step in item.steps), key=lambda member: member[1].level)
    return [
        Part(tuple(step for _, step in file), tuple(_back(file, facts)), contract)
        for contract in ((False, True) if facts.settings.phases else (False,))
        for file in _files([m for m in members if (facts.settings.phases and m[1].contract) is contract], split)
        if file
    ]


def _files(members: Sequence[Member], split: str) -> list[Sequence[Member]]:
    if split == "never":
        return [members]
    files = _cut(members)
    return [part for file in files for part in _separated(file)] if split == "always" else [*files]


def _cut(members: Sequence[Member]) -> list[list[Member]]:
    """Start a new file wherever an autocommit block would commit ordinary DDL of the same file, and around what has to
    stand apart."""
    files: list[list[Member]] = [[]]
    for member in members:
        commits = member[1].level % 2 and any(_transactional(step) for _, step in files[-1])
        if commits or (files[-1] and _apart(member) != _apart(files[-1][-1])):
            files.append([])
        files[-1].append(member)
    return files


def _apart(member: Member) -> tuple[str | None, str | None] | None:
    """The table whose work has files of its own; None for what can share a file with others."""
    item, step = member
    return table_of(item.change.up) if step.apart else None


def _transactional(step: Step) -> bool:
    if step.level % 2 or step.up.directive:
        return False
    return any(not isinstance(op, CommentOp) for op in step.up.operations)


def _separated(file: Sequence[Member]) -> list[list[Member]]:
    """Give every change that leaves the transaction its own file."""
    leaving = list({id(item): item for item, step in file if step.level % 2}.values())
    separate = [[(item, step) for item, step in file if item is leaver] for leaver in leaving]
    others = [(item, step) for item, step in file if all(item is not leaver for leaver in leaving)]
    return [*separate, others]


def _back(file: Sequence[Member], facts: Facts) -> list[Step]:
    """Return the steps of a file's downgrade: in reverse order, and safe by the same rules."""
    extras: list[tuple[int, Step]] = []
    undoing: list[tuple[int, ops.MigrateOperation]] = []
    here = [id(step) for _, step in file]
    for position, (item, step) in enumerate(reversed(_by_change(file))):
        split = any(id(other) not in here for other in item.steps)
        extras += [(position, extra) for extra in (*step.down, *(step.undo_when_split if split else ()))]
        undoing += [(position, op) for op in item.change.down if step.owns_downgrade]
    planned = plan_back([op for _, op in undoing], facts)
    result = [(position, step) for (position, _), steps in zip(undoing, planned, strict=True) for step in steps]
    last: dict[int, int] = {}
    for position, step in result:
        last[position] = max(last.get(position, 0), step.level)
    result += [(position, _after(extra, last.get(position, 0))) for position, extra in extras]
    # A change that came later is undone first: a column of a primary key stays NOT NULL until the key is gone.
    return [step for _, step in sorted(result, key=lambda entry: (entry[1].level, entry[0]))]


def _after(extra: Step, last: int) -> Step:
    """Keep a step above level 0 behind its change's own downgrade, whose levels other changes may have raised."""
    behind = last + 2 - last % 2
    return replace(extra, level=max(extra.level, behind)) if extra.level else extra


def _by_change(file: Sequence[Member]) -> list[Member]:
    """Return the members in autogenerate's order, whose reverse is the downgrade's order."""
    order = {id(item): item.position for item, _ in file}
    return sorted(file, key=lambda member: (order[id(member[0])], member[1].level))


class RewrittenUpgradeOps(ops.UpgradeOps):
    """The rewritten upgrade. `alembic check` still reports the ops that autogenerate wrote."""

    def __init__(
        self, operations: Sequence[ops.MigrateOperation], token: str, original_ops: Sequence[ops.MigrateOperation]
    ) -> None:
        super().__init__(operations, upgrade_token=token)
        self.original_ops = tuple(original_ops)

    def as_diffs(self) -> list[object]:
        """Return the differences that autogenerate found."""
        return list(ops.UpgradeOps(self.original_ops).as_diffs())


class FollowUp(ops.MigrationScript):
    """The next file of a chain. Its id and parent follow the previous file's, even if a later hook changes those."""

    def __init__(
        self,
        previous: ops.MigrationScript,
        upgrade: ops.UpgradeOps,
        downgrade: ops.DowngradeOps,
        message: str,
        existing: Set[str],
    ) -> None:
        self.previous = previous
        self._existing = frozenset(existing)
        self._random = random_id()
        self._chosen_id: str | None = None
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
        """Return an id in the style of the previous file's."""
        if self._chosen_id is not None and self._chosen_id != self.previous.rev_id:
            return self._chosen_id
        return next_id(str(self.previous.rev_id), self._existing, self._random)

    @rev_id.setter
    def rev_id(self, value: str | None) -> None:
        """Keep the id that a hook sets."""
        self._chosen_id = value


def next_id(previous: str, existing: Set[str], fallback: str) -> str:
    """Return the id that follows another: 0008 after 0007, random after random, ``name_2`` after ``name``.

    Args:
        previous: the id of the file before.
        existing: ids that are in use.
        fallback: a random id.
    """
    if _RANDOM.fullmatch(previous) and not previous.isdigit():
        return fallback
    for candidate in _successors(previous):
        if len(candidate) > MAX_ID:
            break
        if candidate not in existing:
            return candidate
    return fallback


def _successors(previous: str) -> Iterable[str]:
    numbered = _NUMBERED.fullmatch(previous)
    head, number = (numbered["head"], numbered["number"]) if numbered else (f"{previous}_", "1")
    for step in range(1, 1000):
        yield f"{head}{int(number) + step:0{len(number)}d}"


def why_not(context_script: object, token: str, several: bool) -> str | None:
    """Return why a chain of files cannot be written, or None."""
    if token != "upgrades":
        return "the revision holds several databases' changes"
    if several:
        return "a hook has made several revisions of it"
    if not _DISTINCT.search(str(getattr(context_script, "file_template", "%(rev)s"))):
        return "file_template has neither %(rev)s nor %(slug)s, so two files would get the same name"
    return None
