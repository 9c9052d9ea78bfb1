"""The project's own files that the revisions, or env.py, depend on: what they import, and what that imports."""

from __future__ import annotations

import ast
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import alembic_pgpatterns
from alembic_pgpatterns.cache.contents import digest, digest_of
from alembic_pgpatterns.project import Project

# A match in a docstring costs nothing but a file more.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<base>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n#]*)"
    r"|import[ \t]+(?P<plain>[^\n#]+))",
    re.MULTILINE,
)
_VARIABLE = re.compile(r"(?:environ(?:\.get)?|getenv)\s*[\[(]\s*['\"](\w+)['\"]")
_TABLE = re.compile(r"\bTable\(")
_FOREIGN = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Files with their digests, and environment variables with those of their values.

    ``lasting``: those of the files that revisions depend on; a run that does not run them again cannot tell.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    lasting: frozenset[str] = frozenset()

    def hold(self, known: dict[str, str | None]) -> bool:
        """Whether all is as it was; ``known``: digests of files that were read before."""
        for path in self.files:
            if path not in known:
                known[path] = _digest_or_none(path)
        files = all(known[path] == content for path, content in self.files.items())
        return files and all(_variable(name) == value for name, value in self.variables.items())


def dependencies(project: Project, read: Iterable[str] = ()) -> Dependencies:
    """What the revisions and env.py depend on, after both have run.

    ``read``: files that revisions opened, and what is known to be lasting from an earlier run.

    A module that does nothing but declare models counts only where a revision imports it: models change with every
    new revision, and what older ones do does not depend on them.
    """
    revisions = {Path(script.path) for script in project.revisions}
    by_path = {str(Path(module.__file__ or "").absolute()): module for module in _modules()}
    of_revisions = _closure(revisions, by_path)
    of_environment = _closure({project.env_py}, by_path) - of_revisions
    known = {str(path.absolute()) for path in (*revisions, project.env_py)}
    lasting = (of_revisions | {path for path in read if _is_own(path)}) - known
    files = lasting | {path for path in of_environment - known if not _declares_only(path, by_path[path])}
    names = {name for path in (*map(str, revisions), *of_revisions) for name in _VARIABLE.findall(_text(path))}
    found = {path: _digest_or_none(path) for path in sorted(files)}
    return Dependencies(
        files={path: content for path, content in found.items() if content is not None},
        variables={name: _variable(name) for name in sorted(names)},
        lasting=frozenset(path for path in lasting if found[path] is not None),
    )


def _modules() -> Iterator[ModuleType]:
    """The project's modules that are imported by now."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_own(file):
            yield module


def _is_own(path: str) -> bool:
    """Whether a file is neither Python's, nor of a distribution, nor ours: those are known by their versions."""
    if any(part in _FOREIGN for part in Path(path).parts):
        return False
    foreign = (sysconfig.get_path("stdlib"), str(Path(alembic_pgpatterns.__file__).parent))
    return not any(str(Path(path).absolute()).startswith(f"{folder}{os.sep}") for folder in foreign)


def _closure(start: Iterable[Path], by_path: Mapping[str, ModuleType]) -> set[str]:
    by_name = {module.__name__: path for path, module in by_path.items()}
    found: set[str] = set()
    waiting = [(str(path), "") for path in start]
    while waiting:
        path, package = waiting.pop()
        for name in _imported(_text(path), package):
            file = by_name.get(name)
            if file is not None and file not in found:
                found.add(file)
                waiting.append((file, by_path[file].__package__ or ""))
    return found


def _imported(text: str, package: str) -> Iterator[str]:
    """The modules that a file may import, with the packages they are in."""
    for match in _IMPORT.finditer(text):
        if match["plain"] is not None:
            names = [part.split()[0] for part in match["plain"].split(",") if part.split()]
        else:
            base = _absolute(match["base"], package)
            words = re.sub(r"#[^\n]*|[()\\]", " ", match["names"]).split(",")
            names = [base, *(f"{base}.{word.split()[0]}" for word in words if word.split())]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _absolute(base: str, package: str) -> str:
    name = base.lstrip(".")
    level = len(base) - len(name)
    if not level:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *([name] if name else [])])


def _declares_only(path: str, module: ModuleType) -> bool:
    """Whether a module declares tables, or only gathers other modules."""
    if _TABLE.search(_text(path)):
        return True
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__ and "__table__" in vars(value):
            return True
    return all(isinstance(node, ast.Import | ast.ImportFrom) or _says_nothing(node) for node in _body(path))


def _body(path: str) -> list[ast.stmt]:
    try:
        return ast.parse(_text(path)).body
    except SyntaxError:
        return []


def _says_nothing(node: ast.stmt) -> bool:
    """A docstring, ``__all__``, or imports for the type checker."""
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] == ["__all__"]
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def _digest_or_none(path: str) -> str | None:
    try:
        return digest_of(Path(path))
    except OSError:
        return None


def _variable(name: str) -> str:
    return digest(os.environ.get(name))
