"""A project's history as plain data: what its revision files say, without any of them being run here."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from alembic_pgpatterns.runner.messages import RevisionFacts
from alembic_pgpatterns.runner.paths import several


@dataclass(frozen=True)
class Revision:
    """One revision. ``parents``: what it comes from and depends on. ``labels``: of its branch, inherited ones too.

    ``upgrade_line`` and ``downgrade_line``: where the functions begin, counted from 1; 1 if they are not in the file.
    """

    revision: str
    path: str
    down_revisions: tuple[str, ...]
    parents: tuple[str, ...]
    labels: frozenset[str]
    upgrade_line: int = 1
    downgrade_line: int = 1


class History:
    """All revisions of a project, and how they follow from each other."""

    def __init__(self, facts: Iterable[RevisionFacts]) -> None:
        """Take what the files say."""
        self.facts = tuple(facts)

    @cached_property
    def _map(self) -> Any:
        """Alembic's own structure, of plain revisions."""
        from alembic.script.revision import Revision as PlainRevision
        from alembic.script.revision import RevisionMap

        plain = [
            PlainRevision(
                item.revision, item.down_revisions or None, item.dependencies or None, branch_labels=item.labels or None
            )
            for item in self.facts
        ]
        return RevisionMap(lambda: plain)

    @cached_property
    def revisions(self) -> tuple[Revision, ...]:
        """All of them, each after those it comes from, in the order in which Alembic runs them from an empty database.

        Raises:
            alembic.script.revision.RevisionError, KeyError: the files make no history.
        """
        by_name = {item.revision: item for item in self.facts}
        found = self._map.iterate_revisions("heads", "base", inclusive=True, assert_relative_length=False)
        return tuple(_revision(by_name[item.revision], item) for item in reversed(list(found)))

    @cached_property
    def _by_name(self) -> dict[str, Revision]:
        return {item.revision: item for item in self.revisions}

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The identifiers of all heads, sorted. Raises as `revisions`."""
        return tuple(sorted(self._map.heads))

    def find(self, identifier: str) -> Revision | None:
        """A revision by its identifier, the start of it, or what else Alembic takes (``head``, a label).

        Raises:
            alembic.script.revision.RevisionError: nothing or more than one fits.
        """
        found = self._map.get_revision(identifier)
        return self._by_name[found.revision] if found is not None else None

    def find_all(self, identifiers: str) -> tuple[Revision, ...]:
        """The revisions that an argument such as ``heads`` means. Raises as `find`."""
        found = self._map.get_revisions(identifiers)
        return tuple(self._by_name[item.revision] for item in found if item is not None)

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """The revisions and all they come from or depend on; unknown ones are left out."""
        result: set[str] = set()
        waiting = list(revisions)
        while waiting:
            name = waiting.pop()
            item = self._by_name.get(name)
            if item is not None and name not in result:
                result.add(name)
                waiting += item.parents
        return result

    def heads_of(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Those of some revisions that no other of them comes from or depends on, sorted."""
        among = set(revisions)
        below = {name for item in among if item in self._by_name for name in self._by_name[item].parents}
        return tuple(sorted(among - below))

    def in_order(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Some revisions, in the order in which all run from an empty database."""
        among = frozenset(revisions)
        return tuple(item.revision for item in self.revisions if item.revision in among)


def _revision(facts: RevisionFacts, plain: Any) -> Revision:
    upgrade, downgrade = _function_lines(facts.path)
    return Revision(
        facts.revision,
        facts.path,
        facts.down_revisions,
        tuple(dict.fromkeys((*facts.down_revisions, *several(plain._resolved_dependencies)))),
        frozenset(map(str, plain.branch_labels)),
        upgrade,
        downgrade,
    )


def _function_lines(path: str) -> tuple[int, int]:
    functions = {
        node.name: min([node.lineno, *(item.lineno for item in node.decorator_list)])
        for node in _body(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return functions.get("upgrade", 1), functions.get("downgrade", 1)


_NAMES = ("revision", "down_revision", "depends_on", "branch_labels")


def read_without_running(files: Sequence[str]) -> tuple[RevisionFacts, ...] | None:
    """What revision files say, read from their source; None if one of them computes what it says.

    Only a guess until Alembic has loaded the files: the process that does so compares.
    """
    result = []
    for path in files:
        facts = _read(path)
        if facts is None:
            return None
        result.append(facts)
    return tuple(result)


def _read(path: str) -> RevisionFacts | None:
    given: dict[str, Any] = {}
    for node in _body(path):
        for name, value in _assigned(node):
            if name in given:
                return None
            try:
                given[name] = ast.literal_eval(value)
            except (ValueError, TypeError):
                return None
    texts = {name: _texts(given.get(name)) for name in _NAMES}
    if not isinstance(given.get("revision"), str) or None in texts.values():
        return None
    down, depends, labels = (texts[name] or () for name in _NAMES[1:])
    return RevisionFacts(given["revision"], path, down, depends, tuple(sorted(labels)))


def _texts(value: object) -> tuple[str, ...] | None:
    """The value as Alembic takes it: none, one or several texts; None if it is something else."""
    items = (value,) if isinstance(value, str) else () if value is None else value
    if not isinstance(items, tuple | list | set | frozenset) or not all(isinstance(item, str) for item in items):
        return None
    return tuple(items)


def _assigned(node: ast.stmt) -> list[tuple[str, ast.expr]]:
    """The assignments of a statement that say something about the revision."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        targets: list[ast.expr] = [node.target]
        value = node.value
    elif isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    else:
        return []
    return [(target.id, value) for target in targets if isinstance(target, ast.Name) and target.id in _NAMES]


def _body(path: str) -> list[ast.stmt]:
    try:
        return _tree(path, Path(path).stat().st_mtime_ns).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []


_trees: dict[tuple[str, int], ast.Module] = {}


def _tree(path: str, moment: int) -> ast.Module:
    """A file's syntax, read once."""
    if (path, moment) not in _trees:
        _trees[path, moment] = ast.parse(Path(path).read_bytes())
    return _trees[path, moment]
