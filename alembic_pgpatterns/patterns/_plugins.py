"""The user's own patterns: in modules named in the settings, and in entry points of installed packages.

A module may define any number of patterns; of a package all modules are imported. A command imports none of them
itself: that happens in a process of their own (`_host`), or in the project's.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns._base import Pattern
from alembic_pgpatterns.patterns._levels import Action

GROUP = "alembic_pgpatterns.patterns"
"""The group of entry points; the value of each is a module or package."""


@cache
def installed() -> tuple[tuple[str, str], ...]:
    """The plugin modules of installed packages, each with its entry point for messages."""
    # Two installations list the same ones in different orders.
    points = sorted(entry_points(group=GROUP), key=lambda point: point.value)
    return tuple((point.module, _named_by(point)) for point in points)


def _named_by(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "an installed package"
    return f"entry point {point.name!r} of {package}"


def patterns_of(module: str, named_by: str, folders: Sequence[Path] = ()) -> list[type[Pattern]]:
    """The patterns of a plugin, by name.

    Args:
        module: dotted name of a module or package.
        named_by: the setting or entry point that names it, for messages.
        folders: searched before the rest of sys.path.

    Raises:
        PgPatternsError: it cannot be imported, defines no pattern, or one of its patterns is not complete.
    """
    with _importable(folders):
        modules = list(_modules(module, named_by))
    patterns = [cls for item in modules for cls in _defined_in(item)]
    if not patterns:
        raise PgPatternsError(
            f"{named_by}: {module} ({modules[0].__file__}) defines no pattern. Define a subclass of SchemaPattern, "
            "RevisionPattern, HistoryPattern or ServerPattern in it, or remove it from the setting."
        )
    for cls in patterns:
        _demand_complete(cls)
    return sorted(patterns, key=lambda cls: cls.name)


@contextlib.contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = [str(folder.absolute()) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before


def _modules(name: str, named_by: str) -> Iterator[ModuleType]:
    module = _import(name, named_by)
    yield module
    for item in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        yield _import(item.name, named_by)


def _import(name: str, named_by: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    # Some modules end the program where something is missing.
    except (Exception, SystemExit) as error:
        if (
            isinstance(error, ModuleNotFoundError)
            and error.name is not None
            and f"{name}.".startswith(f"{error.name}.")
        ):
            raise PgPatternsError(
                f"{named_by}: there is no module {error.name!r}. A module is found in the folder of the settings, in "
                "alembic.ini's prepend_sys_path, or if its package is installed."
            ) from None
        raise PgPatternsError(
            f"{named_by}: {name} cannot be imported: {_place(error)}{type(error).__name__}: {error}. "
            "Correct it, or remove it from the setting."
        ) from None


def _place(error: BaseException) -> str:
    """``file:line: `` of the last frame outside the import machinery; a syntax error has its own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    outside = [frame for frame in frames if frame.filename not in (__file__, importlib.__file__)]
    return f"{outside[-1].filename}:{outside[-1].lineno}: " if outside else ""


def _defined_in(module: ModuleType) -> Iterator[type[Pattern]]:
    for _, member in inspect.getmembers(module, inspect.isclass):
        if issubclass(member, Pattern) and member.__module__ == module.__name__ and not member.abstract:
            yield member


def _demand_complete(cls: type[Pattern]) -> None:
    problem = _problem_of(cls)
    if problem is not None:
        raise PgPatternsError(f"{place_of(cls)}: the pattern {cls.name} {problem}")


def _problem_of(cls: type[Pattern]) -> str | None:
    first_line = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\n")[0]
    if not first_line:
        return "has no docstring. Its first line is shown by --list, the rest is its page."
    if not any("detect" in base.__dict__ for base in cls.__mro__ if not getattr(base, "abstract", True)):
        return "has no method `detect`."
    if cls.action in (Action.ENFORCE, Action.SUGGEST) and not cls.not_when:
        return f"has the action {cls.action} and no `not_when`: say when the remedy should not be followed."
    return None


def place_of(cls: type[Pattern]) -> str:
    """``file:line`` of the class, or its module's name if there is no source."""
    place = getattr(cls, "described_place", None)
    if isinstance(place, str):
        return place
    try:
        return f"{inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):
        return cls.__module__


def together(built_in: Mapping[str, type[Pattern]], added: Sequence[type[Pattern]]) -> dict[str, type[Pattern]]:
    """The patterns of both, by name.

    Raises:
        PgPatternsError: two have the same name.
    """
    result = dict(built_in)
    for cls in added:
        other = result.get(cls.name)
        if other is not None and other is not cls:
            raise PgPatternsError(
                f"{place_of(cls)}: a pattern named {cls.name} exists already ({place_of(other)}). "
                "The name is made from the class's name: give this class another one."
            )
        result[cls.name] = cls
    return result
