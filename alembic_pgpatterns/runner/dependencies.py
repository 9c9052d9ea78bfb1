"""Files and variables that the revisions or env.py depend on: modules that they import, and files that they read."""

from __future__ import annotations

import ast
import os
import platform
import stat
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.runner.ambient import OF_SHELLS
from alembic_pgpatterns.runner.digest import digest, digest_of
from alembic_pgpatterns.runner.file_reads import IN_C, MODULE, UNTRACKED
from alembic_pgpatterns.runner.messages import Dependencies, DependenciesRequest
from alembic_pgpatterns.runner.python_source import PythonSource, read_source, with_packages
from alembic_pgpatterns.runner.script_directory import ProjectScripts

_PACKAGE = Path(__file__).parents[1]

# In SQL these are used for names of partitions and the like. now() alone is the default of half of all tables.
_DATES_OF_SQL = ("current_date", "date_trunc", "to_char", "date_part", "localtime", "clock_timestamp", "interval '")
_READERS_IN_C = frozenset(
    {"lxml", "h5py", "pyarrow", "duckdb", "polars", "netCDF4", "osgeo", "rasterio", "fiona", "apsw", "pygit2", "dbm"}
)
"""Packages that open files by their path, of which Python knows nothing."""
_LISTENERS = frozenset({"listen_for", "listens_for", "compiles", "register_operation", "implementation_for"})
_CREATE_ALL = frozenset({"create_all", "CreateTable"})
_TODAY = "the date"
_FOREIGN = ("site-packages", "dist-packages")


def dependencies(project: ProjectScripts, request: DependenciesRequest) -> Dependencies:
    """Everything that the revisions and env.py depend on, after both have run.

    A module that only declares models counts only if a revision imports it: models change with every new revision, and
    older revisions do not depend on them.
    """
    if UNTRACKED in project.read:
        return Dependencies(untracked="the project's code runs a program or asks another machine")
    revisions = set(map(Path, request.revisions))
    by_path = {str(Path(module.__file__ or "").absolute()): module for module in _modules()}
    read = _without_modules(project.read, by_path) | set(request.lasting)
    of_revisions = _closure(revisions, by_path)
    env_py, ini = Path(project.directory.env_py_location), project.config.config_file_name
    of_env_py = read_source(_text(str(env_py)))
    sources = [read_source(_text(path)) for path in (*map(str, revisions), *of_revisions)]
    unseen = _reads_in_c(project.read, (*sources, of_env_py))
    if unseen is not None:
        return Dependencies(untracked=unseen)
    counted_elsewhere = {str(path.absolute()) for path in (*revisions, env_py, *([Path(ini)] if ini else []))}
    from_settings = {f"env:{name}" for name in request.from_settings}
    lasting = of_revisions | {item for item in read if _is_fact(item) or _is_own(item)}
    lasting -= counted_elsewhere | from_settings
    # An env.py that creates tables from the models makes every revision depend on all models.
    creates_all = not _CREATE_ALL.isdisjoint(of_env_py.names)
    every = creates_all or any(source.mentions("target_metadata") for source in sources)
    modules = by_path.keys() - counted_elsewhere
    files = lasting | {
        path
        for path in modules
        if every or not _declares_only(path, by_path[path]) or _gives_values(by_path[path], of_env_py)
    }
    names = {*_variables(sources), *([_TODAY] if of_env_py.uses_clock else [])}
    return Dependencies(
        files={path: digest_or_none(path) for path in sorted(files)},
        variables={name: variable(name) for name in sorted(names)},
        lasting=frozenset(lasting),
    )


def _without_modules(read: Iterable[str], by_path: Mapping[str, ModuleType]) -> set[str]:
    """What was read, without the modules that env.py has imported: which of them count is decided by what they do."""
    of_env_py = {item.removeprefix(MODULE) for item in read if item.startswith(MODULE)}
    return {item for item in read if not item.startswith(MODULE)} | (of_env_py - by_path.keys())


def _reads_in_c(read: Iterable[str], sources: Iterable[PythonSource]) -> str | None:
    """Why nobody knows what was read: a library in C that opens files itself; None if there is no sign of one."""
    if IN_C in read:
        return "the project's code calls a library in C (ctypes), which may read anything"
    sources = tuple(sources)
    if any("sqlite3" in source.imports and source.mentions("attach") for source in sources):
        return "SQLite attaches other files"
    packages = {name.lstrip(".").partition(".")[0] for source in sources for name in source.imports}
    readers = ", ".join(sorted(packages & _READERS_IN_C))
    return f"a library in C may read files: {readers}" if readers else None


def _variables(sources: Iterable[PythonSource]) -> Iterator[str]:
    """The names of variables that are read; `*` if that is not known. The current date counts as a variable."""
    for source in sources:
        yield from source.variables
        if source.uses_clock or source.mentions(*_DATES_OF_SQL):
            yield _TODAY


def _modules() -> Iterator[ModuleType]:
    """The project's modules that are imported now."""
    # A copy, because a module that loads lazily may import another one when it is asked for an attribute.
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_own(file):
            yield module


def _is_own(path: str) -> bool:
    """Whether a file is not of Python, a distribution or this package: those are identified by their versions."""
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
        imported = read_source(_text(path)).imports
        for name in (part for item in imported for part in with_packages(item, package)):
            file = by_name.get(name)
            if file is not None and file not in result:
                result.add(file)
                waiting.append((file, by_path[file].__package__ or ""))
    return result


def _declares_only(path: str, module: ModuleType) -> bool:
    """Whether a module only declares tables or imports other modules, and does not change how SQL is compiled."""
    source = read_source(_text(path))
    if not _LISTENERS.isdisjoint(source.names) or "event.listen" in source.pairs:
        return False
    if "Table" in source.called:
        return True
    for value in list(vars(module).values()):
        # Its own attribute: a class with single-table inheritance inherits __table__ from its parent.
        if isinstance(value, type) and value.__module__ == module.__name__ and "__table__" in vars(value):
            return True
    return all(isinstance(node, ast.Import | ast.ImportFrom) or _says_nothing(node) for node in _body(path))


def _gives_values(module: ModuleType, env_py: PythonSource) -> bool:
    """Whether env.py takes something from a module of models that is no table: a name of a schema, or a function."""
    short = module.__name__.rpartition(".")[2]
    for name, value in list(vars(module).items()):
        taken = f"{module.__name__}.{name}" in env_py.imports or f"{short}.{name}" in env_py.pairs
        if taken and (callable(value) or isinstance(value, _VALUES)) and not isinstance(value, type):
            return True
    return False


_VALUES = (str, bytes, int, float, bool, tuple, list, dict, set, frozenset)


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
        return read_text(Path(path), "replace")
    except OSError:
        return ""


_FACTS = ("env:", "stat:", "lstat:", "time:", "ltime:", "link:", "entries:")
environment: Mapping[str, str] = os.environ
"""The variables that count: in the project's process those at its start, whatever it has set since."""


def begin() -> None:
    """Remember the variables of this process before the project's code can change them."""
    global environment
    environment = dict(os.environ)


def _is_fact(item: str) -> bool:
    return item in ("argv", "host", "cpus") or item.startswith(_FACTS)


def _fact(item: str) -> str | None:
    """The digest of a fact that is not a file's content; None if there is none."""
    kind, _, name = item.partition(":")
    if kind == "env":
        return variable(name)
    if kind == "argv":
        return digest([sys.argv[1:], sys.orig_argv[1:]])
    if kind == "host":
        return digest([platform.node(), *os.uname()[:2]])
    if kind == "cpus":
        return digest([os.cpu_count(), *(os.sysconf(item) for item in _RESOURCES if item in os.sysconf_names)])
    try:
        if kind == "link":
            return digest(str(Path(name).readlink()))
        if kind == "entries":
            with os.scandir(name) as entries:
                return digest(sorted([entry.name, *_all_facts(entry.stat(follow_symlinks=False))] for entry in entries))
        facts = Path(name).stat(follow_symlinks=not kind.startswith("l"))
    except OSError:
        return None
    size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return digest(_all_facts(facts) if kind.endswith("time") else [facts.st_mode, size])


_RESOURCES = ("SC_NPROCESSORS_ONLN", "SC_PHYS_PAGES", "SC_PAGE_SIZE")


def _all_facts(facts: os.stat_result) -> list[int]:
    """All but the time of the last access, which reading changes; of a folder also without its size."""
    size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return [facts.st_mode, facts.st_uid, facts.st_gid, facts.st_nlink, size, facts.st_mtime_ns, facts.st_ctime_ns]


def digest_or_none(path: str) -> str | None:
    """The digest of a file's content, of the names in a folder, or of a fact (`ambient`); None if it does not exist."""
    if _is_fact(path):
        return _fact(path)
    try:
        if Path(path).is_dir():
            with os.scandir(path) as entries:
                return digest(sorted([item.name, item.is_dir()] for item in entries if item.name != "__pycache__"))
        # Reading anything else, such as a pipe, may never end.
        return digest_of(Path(path)) if Path(path).is_file() else None
    except OSError:
        return None


def variable(name: str) -> str:
    """The digest of a variable's value; `*` is all variables, and the date counts as one."""
    if name == _TODAY:
        return time.strftime("%Y-%m-%d")
    if name == "*":
        return digest({key: value for key, value in environment.items() if key not in OF_SHELLS})
    return digest(environment.get(name))
