"""Files and variables that the revisions or env.py depend on: modules that they import, and files that they read."""

from __future__ import annotations

import ast
import os
import platform
import re
import stat
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from alembic_pgpatterns.runner.digest import digest, digest_of
from alembic_pgpatterns.runner.file_reads import UNTRACKED
from alembic_pgpatterns.runner.messages import Dependencies, DependenciesRequest
from alembic_pgpatterns.runner.script_directory import ProjectScripts

_PACKAGE = Path(__file__).parents[1]

# A match inside a docstring only adds a file too many.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<base>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n#]*)"
    r"|import[ \t]+(?P<plain>[^\n#]+))",
    re.MULTILINE,
)
_BY_NAME = re.compile(r"(?:import_module|__import__)\s*\(\s*['\"]([.\w]+)['\"]")
_VARIABLE = re.compile(r"(?:environ(?:\.get)?|getenv)\s*[\[(]\s*['\"](\w+)['\"]\s*[,\])]")
_ALL_VARIABLES = re.compile(r"\b(?:environb?|getenvb?|BaseSettings|\w*dotenv\w*|decouple|load_config)\b")
_OF_SHELLS = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "PYTEST_CURRENT_TEST"})
# In SQL these are used for names of partitions and the like. now() alone is the default of half of all tables.
_DATE = re.compile(
    r"\b(?:datetime|date|time|dt)\.(?:utcnow|now|today|time)\b|\bcurrent_date\b|\bdate_trunc\b", re.IGNORECASE
)
_TABLE = re.compile(r"\bTable\(")
_ACTS = re.compile(r"\blistens?_for\b|\bevent\.listen\b|\bcompiles\b|register_operation|implementation_for")
_MAKES_ALL = re.compile(r"\bcreate_all\b|\bCreateTable\b")
_USES_MODELS = re.compile(r"\btarget_metadata\b")
_TODAY = "the date"
_FOREIGN = ("site-packages", "dist-packages")


def dependencies(project: ProjectScripts, request: DependenciesRequest) -> Dependencies:
    """Everything that the revisions and env.py depend on, after both have run.

    A module that only declares models counts only if a revision imports it: models change with every new revision, and
    older revisions do not depend on them.
    """
    if UNTRACKED in project.read:
        return Dependencies(untracked="the project's code runs a program or asks another machine")
    read = project.read | set(request.known)
    revisions = set(map(Path, request.revisions))
    by_path = {str(Path(module.__file__ or "").absolute()): module for module in _modules()}
    of_revisions = _closure(revisions, by_path)
    texts = [_text(path) for path in (*map(str, revisions), *of_revisions)]
    env_py, ini = Path(project.directory.env_py_location), project.config.config_file_name
    counted_elsewhere = {str(path.absolute()) for path in (*revisions, env_py, *([Path(ini)] if ini else []))}
    from_settings = {f"env:{name}" for name in request.given}
    lasting = of_revisions | {item for item in read if _is_fact(item) or _is_own(item)}
    lasting -= counted_elsewhere | from_settings
    every = _MAKES_ALL.search(_text(str(env_py))) or any(map(_USES_MODELS.search, texts))
    modules = by_path.keys() - counted_elsewhere
    files = lasting | {path for path in modules if every or not _declares_only(path, by_path[path])}
    return Dependencies(
        files={path: digest_or_none(path) for path in sorted(files)},
        variables={name: variable(name) for name in sorted(set(_variables(texts)))},
        lasting=frozenset(lasting),
    )


def _variables(texts: Iterable[str]) -> Iterator[str]:
    """The names of variables that are read; `*` if that is not known. The current date counts as a variable."""
    for text in map(_without_comments, texts):
        yield from _VARIABLE.findall(text)
        if _ALL_VARIABLES.search(_VARIABLE.sub("", text)):
            yield "*"
        if _DATE.search(text):
            yield _TODAY


def _without_comments(text: str) -> str:
    return re.sub(r"#[^\n]*", "", text)


def _modules() -> Iterator[ModuleType]:
    """The project's modules that are imported now."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_own(file):
            yield module


def _is_own(path: str) -> bool:
    """Whether a file is not Python's, a distribution's or ours: those are identified by their versions."""
    if any(part in _FOREIGN for part in Path(path).parts):
        return False
    foreign = (sysconfig.get_path("stdlib"), str(_PACKAGE))
    return not any(str(Path(path).absolute()).startswith(f"{folder}{os.sep}") for folder in foreign)


def _closure(start: Iterable[Path], by_path: Mapping[str, ModuleType]) -> set[str]:
    by_name = {module.__name__: path for path, module in by_path.items()}
    result: set[str] = set()
    waiting = [(str(path), "") for path in start]
    while waiting:
        path, package = waiting.pop()
        for name in _imported(_text(path), package):
            file = by_name.get(name)
            if file is not None and file not in result:
                result.add(file)
                waiting.append((file, by_path[file].__package__ or ""))
    return result


def _imported(text: str, package: str) -> Iterator[str]:
    """The modules that a file may import, with their packages."""
    for match in _IMPORT.finditer(text):
        if match["plain"] is not None:
            names = [part.split()[0] for part in match["plain"].split(",") if part.split()]
        else:
            base = _absolute(match["base"], package)
            words = re.sub(r"#[^\n]*|[()\\]", " ", match["names"]).split(",")
            names = [base, *(f"{base}.{word.split()[0]}" for word in words if word.split())]
        for name in names:
            yield from _with_packages(name)
    for name in _BY_NAME.findall(text):
        yield from _with_packages(_absolute(name, package))


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _absolute(base: str, package: str) -> str:
    name = base.lstrip(".")
    level = len(base) - len(name)
    if not level:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *([name] if name else [])])


def _declares_only(path: str, module: ModuleType) -> bool:
    """Whether a module only declares tables or imports other modules, and does not change how SQL is compiled."""
    if _ACTS.search(_text(path)):
        return False
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
    """Whether it is a docstring, ``__all__``, or an import for type checkers."""
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


_FACTS = ("env:", "stat:", "time:", "link:")
environment: Mapping[str, str] = os.environ
"""The variables that count: in the project's process those at its start, whatever it has set since."""


def begin() -> None:
    """Remember the variables of this process before the project's code can change them."""
    global environment
    environment = dict(os.environ)


def _is_fact(item: str) -> bool:
    return item in ("argv", "host") or item.startswith(_FACTS)


def _fact(item: str) -> str | None:
    """The digest of a fact that is not a file's content; None if there is none."""
    kind, _, name = item.partition(":")
    if kind == "env":
        return variable(name)
    if kind == "argv":
        return digest(sys.argv[1:])
    if kind == "host":
        return digest([platform.node(), *os.uname()[:2]])
    try:
        if kind == "link":
            return digest(str(Path(name).readlink()))
        facts = Path(name).stat()
    except OSError:
        return None
    size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return digest(facts.st_mtime_ns if kind == "time" else [facts.st_mode, size])


def digest_or_none(path: str) -> str | None:
    """The digest of a file's content, of the names in a folder, or of a fact (`ambient`); None if it does not exist."""
    if _is_fact(path):
        return _fact(path)
    try:
        if Path(path).is_dir():
            return digest(sorted(entry.name for entry in Path(path).iterdir() if entry.name != "__pycache__"))
        # Reading anything else, such as a pipe, may never end.
        return digest_of(Path(path)) if Path(path).is_file() else None
    except OSError:
        return None


def variable(name: str) -> str:
    """The digest of a variable's value; `*` is all variables, and the date counts as one."""
    if name == _TODAY:
        return time.strftime("%Y-%m-%d")
    if name == "*":
        return digest({key: value for key, value in environment.items() if key not in _OF_SHELLS})
    return digest(environment.get(name)) if name not in _OF_SHELLS else digest(None)
