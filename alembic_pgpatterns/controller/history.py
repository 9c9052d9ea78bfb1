"""A project's history as plain data, read from its revision files without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.processes import newer_python
from alembic_pgpatterns.runner.messages import RevisionFacts
from alembic_pgpatterns.runner.paths import several

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Revision:
    """One revision. ``parents``: down revisions and dependencies. ``labels``: of its branch, also inherited ones.

    ``upgrade_line`` and ``downgrade_line``: where the functions start, counted from 1; 1 if the file lacks them.
    """

    revision: str
    path: str
    down_revisions: tuple[str, ...]
    parents: tuple[str, ...]
    labels: frozenset[str]
    upgrade_line: int = 1
    downgrade_line: int = 1
    refuses_downgrade: bool = False
    """``downgrade()`` does nothing but raise."""


class History:
    """All revisions of a project, and how they depend on each other."""

    def __init__(self, facts: Iterable[RevisionFacts]) -> None:
        """``facts``: of the revision files."""
        self.facts = tuple(facts)

    @cached_property
    def _map(self) -> Any:
        """Alembic's own revision map, made from plain values."""
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
        """All of them, each after its parents, in the order in which Alembic runs them from an empty database.

        Raises:
            alembic.script.revision.RevisionError, KeyError: the files do not form a history.
        """
        by_name = {item.revision: item for item in self.facts}
        items = self._map.iterate_revisions("heads", "base", inclusive=True, assert_relative_length=False)
        return tuple(_revision(by_name[item.revision], item) for item in reversed(list(items)))

    @cached_property
    def _by_name(self) -> dict[str, Revision]:
        return {item.revision: item for item in self.revisions}

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The identifiers of all heads, sorted. Raises as `revisions`."""
        return tuple(sorted(self._map.heads))

    def find(self, identifier: str) -> Revision | None:
        """A revision by its identifier, the start of it, or another name that Alembic accepts (``head``, a label).

        Raises:
            alembic.script.revision.RevisionError: no revision or more than one fits.
        """
        item = self._map.get_revision(identifier)
        return self._by_name[item.revision] if item is not None else None

    def find_all(self, identifiers: str) -> tuple[Revision, ...]:
        """The revisions that an argument such as ``heads`` means. Raises as `find`."""
        items = self._map.get_revisions(identifiers)
        return tuple(self._by_name[item.revision] for item in items if item is not None)

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """The revisions and all their ancestors and dependencies; unknown ones are left out."""
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
        """The revisions of which no other one of them is a descendant, sorted."""
        among = set(revisions)
        below = {name for item in among if item in self._by_name for name in self._by_name[item].parents}
        return tuple(sorted(among - below))

    def tips(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """The revisions without those that another one needs, in their order: Alembic refuses to be asked for both."""
        names = tuple(dict.fromkeys(revisions))
        needed = {name: self.ancestors([name]) - {name} for name in names}
        return tuple(name for name in names if not any(name in others for others in needed.values()))

    def in_order(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Some revisions, in the order in which they run from an empty database."""
        among = frozenset(revisions)
        return tuple(item.revision for item in self.revisions if item.revision in among)


def _revision(facts: RevisionFacts, plain: Any) -> Revision:
    functions = {node.name: node for node in _body(facts.path) if isinstance(node, _Function)}
    upgrade, downgrade = (functions.get(name) for name in ("upgrade", "downgrade"))
    return Revision(
        facts.revision,
        facts.path,
        facts.down_revisions,
        tuple(dict.fromkeys((*facts.down_revisions, *several(plain._resolved_dependencies)))),
        frozenset(map(str, plain.branch_labels)),
        _first_line(upgrade),
        _first_line(downgrade),
        downgrade is not None and _only_raises(downgrade),
    )


def _first_line(function: _Function | None) -> int:
    return min([function.lineno, *(item.lineno for item in function.decorator_list)]) if function is not None else 1


def _only_raises(function: _Function) -> bool:
    """Whether a function says that it cannot do its work: a docstring may stand before the ``raise``."""
    documented = ast.get_docstring(function, clean=False) is not None
    return [type(node) for node in function.body[documented:]] == [ast.Raise]


_NAMES = ("revision", "down_revision", "depends_on", "branch_labels")


def read_without_running(files: Sequence[str]) -> tuple[RevisionFacts, ...] | None:
    """The revision files' facts, read from their source; None if one of them computes its facts.

    This is a guess until Alembic has loaded the files: the process that loads them compares.
    """
    result = []
    for path in files:
        facts = _read(path)
        if facts is None:
            return None
        result.append(facts)
    return tuple(result)


def _read(path: str) -> RevisionFacts | None:
    values: dict[str, Any] = {}
    for node in _body(path):
        if not _is_plain(node):
            return None
        for name, value in _assigned(node):
            # Assigned twice, maybe under a condition: only running the file shows which one counts.
            if name in values:
                return None
            try:
                values[name] = ast.literal_eval(value)
            except (ValueError, TypeError):
                return None
    texts = {name: _texts(values.get(name)) for name in _NAMES}
    if not isinstance(values.get("revision"), str) or None in texts.values():
        return None
    down, depends, labels = (texts[name] or () for name in _NAMES[1:])
    return RevisionFacts(values["revision"], path, down, depends, tuple(sorted(labels)))


def _texts(value: object) -> tuple[str, ...] | None:
    """The value as Alembic reads it: none, one or several texts; None if it is something else."""
    items = (value,) if isinstance(value, str) else () if value is None else value
    if not isinstance(items, tuple | list | set | frozenset) or not all(isinstance(item, str) for item in items):
        return None
    return tuple(items)


def _is_plain(node: ast.stmt) -> bool:
    """Whether a statement of the module sets what concerns the revision in no other way than by a plain assignment."""
    if isinstance(node, _Function | ast.ClassDef):
        return True
    stored = [item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)]
    stored += [item.asname or item.name for item in ast.walk(node) if isinstance(item, ast.alias)]
    plain = [name for name, _ in _assigned(node)]
    return [name for name in stored if name in _NAMES] == plain


def _assigned(node: ast.stmt) -> list[tuple[str, ast.expr]]:
    """The assignments in a statement that concern the revision."""
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
    """A file's syntax tree, cached."""
    # By time of change, because pgfix and pgrevision write revisions while they run.
    if (path, moment) not in _trees:
        _trees[path, moment] = newer_python.parse(read_text(Path(path)))
    return _trees[path, moment]
