"""What the project's source says of environment variables: which are read, for which field, and which choose a mode."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.runner.python_source import ALL_VARIABLES, PythonSource, read_source

_MODE = re.compile(r"(?:^|_)(?:ENV|ENVIRONMENT|CONFIG|CONFIGURATION|SETTINGS|MODE|STAGE|PROFILE)$")
_SWITCH = re.compile(r"(?:^|_)(?:DEV|DEVELOPMENT|TEST|TESTING)$")
_MODES = ("development", "dev", "local", "testing", "test")
_TRUTHS = ("true", "1", "True")


def other_key(error: BaseException, name: str) -> bool:
    """Whether the source has a name that an error calls missing, but never reads it from the environment.

    Args:
        error: raised by the project's code.
        name: that looks like the name of a variable.
    """
    sources = [source for source in map(_source, _files(error)) if name in source.texts]
    if not sources or any({name, ALL_VARIABLES} & source.variables for source in sources):
        return False
    # A constant of another module may hold the name, as in ``os.environ[NAME_OF_HOME]``.
    frames = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return not any(ALL_VARIABLES in _source(Path(name).absolute()).variables for name in frames if _is_here(name))


def variables_read(error: BaseException) -> set[str]:
    """The variables that the source reads from the environment, as far as it says which."""
    return {name for path in _files(error) for name in _source(path).variables} - {ALL_VARIABLES}


def variable_of_field(error: BaseException, field: str) -> str | None:
    """The variable that gives a field, or an argument of its name, its value; None if the source does not say so."""
    for path in _files(error):
        for target, value in _assigned(_tree(path)):
            variables = read_source(ast.unparse(value)).variables - {ALL_VARIABLES} if target == field else set()
            if variables:
                return min(variables)
    return None


def modes(error: BaseException) -> Iterator[tuple[str, str]]:
    """Variables by which the application chooses another configuration, each with a value that its source names.

    Args:
        error: raised by the project's code.
    """
    sources = [_source(path) for path in _files(error)]
    texts = {text for source in sources for text in source.texts}
    names = sorted({name for source in sources for name in source.variables})
    for value in _MODES:
        yield from ((name, value) for name in names if value in texts and _MODE.search(name))
    for name in filter(_SWITCH.search, names):
        yield from ((name, value) for value in _TRUTHS[:1] if texts & set(_TRUTHS))


def mode_of(error: BaseException, name: str) -> str | None:
    """A value that the source names for a variable which chooses a configuration; None for other variables."""
    if not _MODE.search(name):
        return None
    texts = {text for path in _files(error) for text in _source(path).texts}
    return next((value for value in _MODES if value in texts), None)


def looked_at(error: BaseException) -> tuple[str, int | None] | None:
    """The variable on whose value the failing ``raise`` depends, and the length that it must have (None: any).

    It is looked for where the project's own function reads settings from the environment: ``key = get("KEY")``,
    ``if key is None: raise …``.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if _is_here(frame.f_code.co_filename)]
    if not frames:
        return None
    tree, line = _tree(Path(frames[-1].f_code.co_filename)), _line(error, frames[-1])
    tests = [node.test for node in ast.walk(tree) if isinstance(node, ast.If) and _raises(node, line)]
    if not tests:
        return None
    names = {node.id for node in ast.walk(tests[-1]) if isinstance(node, ast.Name)}
    values = [value for target, value in _assigned(tree) if target in names]
    calls = (node for value in [tests[-1], *values] for node in ast.walk(value) if isinstance(node, ast.Call))
    keys = (_key(call, frames[-1].f_globals) for call in calls)
    key = next((key for key in keys if key is not None), None)
    return (key, _length(tests[-1])) if key is not None else None


def read_where_it_fails(error: BaseException) -> list[str]:
    """The variables that the failing line reads, as in ``os.getenv("SHOP_URL").rsplit("/")``.

    If it reads none itself: those behind its names that hold nothing, as in ``PREFIX + "/orders"`` after
    ``PREFIX = os.getenv("SHOP_PREFIX")``, in this module or another one.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if _is_here(frame.f_code.co_filename)]
    if not frames:
        return []
    line, tree = _line(error, frames[-1]), _tree(Path(frames[-1].f_code.co_filename))
    starting = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and node.lineno == line]
    calls = (node for node in starting if isinstance(node, ast.Call))
    read = {name for call in calls for name in read_source(ast.unparse(call)).variables} - {ALL_VARIABLES}
    nodes = (node for whole in starting for node in ast.walk(whole))
    names = {_name_without_value(node, frames[-1]) for node in nodes}
    behind = (variable_of_field(error, name) for name in names if name is not None)
    return sorted(read or set(filter(None, behind)))


def named_where_it_fails(error: BaseException) -> list[str]:
    """The texts in the failing line, as in ``UUID(mandatory("SHOP_ID"))``, whatever the function does with them."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if _is_here(frame.f_code.co_filename)]
    for frame in reversed(frames):
        line, tree = _line(error, frame), _tree(Path(frame.f_code.co_filename))
        starting = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and node.lineno == line]
        nodes = (node for whole in starting for node in ast.walk(whole) if isinstance(node, ast.Constant))
        if texts := [node.value for node in nodes if isinstance(node.value, str) and _NAME.fullmatch(node.value)]:
            return texts
    return []


def _name_without_value(node: ast.AST, frame: FrameType) -> str | None:
    """The name, or the attribute of a module or an object, that is None where it is used."""
    if isinstance(node, ast.Name):
        values = frame.f_locals if node.id in frame.f_locals else frame.f_globals
        return node.id if values.get(node.id, ...) is None else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = frame.f_locals.get(node.value.id, frame.f_globals.get(node.value.id))
        # Without running a property, which may do anything.
        return node.attr if inspect.getattr_static(owner, node.attr, ...) is None else None
    return None


def _line(error: BaseException, frame: FrameType) -> int:
    return next((line for item, line in traceback.walk_tb(error.__traceback__) if item is frame), 0)


def _raises(node: ast.If, line: int) -> bool:
    return any(isinstance(item, ast.Raise) and item.lineno == line for item in node.body)


def _key(call: ast.Call, names: dict[str, Any]) -> str | None:
    """The first argument of a function that reads the whole environment, if it looks like a variable."""
    function = names.get(call.func.id) if isinstance(call.func, ast.Name) else None
    file = getattr(getattr(function, "__code__", None), "co_filename", "")
    key = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    reads = _is_here(file) and ALL_VARIABLES in _source(Path(file)).variables
    return key if reads and isinstance(key, str) and _NAME.fullmatch(key) else None


_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}")


def _length(test: ast.expr) -> int | None:
    """The number with which a condition compares a length."""
    left = test.left if isinstance(test, ast.Compare) else None
    if not isinstance(test, ast.Compare) or not isinstance(left, ast.Call) or ast.unparse(left.func) != "len":
        return None
    value = test.comparators[0]
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, int) else None


def _is_here(name: str) -> bool:
    return name.endswith(".py") and _is_own(Path(name).absolute(), Path.cwd())


def _files(error: BaseException) -> list[Path]:
    """The project's files on the way to an error and to its causes, and those of the modules that are loaded.

    A module that fails while it is imported is no longer among the loaded ones.
    """
    names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    cause: BaseException | None = error
    while cause is not None and len(names) < _MOST:
        names += [frame.f_code.co_filename for frame, _ in traceback.walk_tb(cause.__traceback__)]
        cause = cause.__cause__ or cause.__context__
    here = Path.cwd()
    paths = (Path(name).absolute() for name in names if isinstance(name, str) and name.endswith(".py"))
    return list(dict.fromkeys(path for path in paths if _is_own(path, here)))


_MOST = 100_000


def _is_own(path: Path, folder: Path) -> bool:
    # An environment may be in the project's folder; its libraries are not the project's.
    inside = path.parts[len(folder.parts) :]
    return path.is_relative_to(folder) and not {"site-packages", "dist-packages"} & set(inside)


def _source(path: Path) -> PythonSource:
    return read_source(_text(path))


def _tree(path: Path) -> ast.AST:
    try:
        return ast.parse(_text(path))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _text(path: Path) -> str:
    try:
        return read_text(path, "replace")
    except OSError:
        return ""


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What is given a value: names, and arguments by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.keyword) and node.arg is not None:
            yield node.arg, node.value
