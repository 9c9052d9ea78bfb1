"""A file of settings that an application opens and does not find, and how the project's own example takes its place."""

from __future__ import annotations

import itertools
import os
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.output.causes import causes
from alembic_pgpatterns.output.secret_names import MADE_UP_VALUES

_WORDS = "example|sample|template|default|dist|tmpl"
_EXAMPLE = re.compile(rf"^(?:{_WORDS})[._-]|[._-](?:{_WORDS})(?=\.|$)", re.IGNORECASE)
"""What the name of an example has beside the name of the file that it is an example of."""
FILE_WORDS = "CONFIG|CONF|CFG|SETTINGS|FILE|PATH|INI|YAML|TOML"
"""How the name of a variable ends that names a file; alternatives of a regular expression."""
_VARIABLE = re.compile(rf"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:{FILE_WORDS})")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_NOT_SEARCHED = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
_OF_TESTS = frozenset({"test", "tests"})
_LEVELS, _MOST_FILES = 5, 5000


@dataclass(frozen=True)
class MissingFile:
    """A file that is not there.

    ``name``: as the application opens it. ``example``: of the project, relative to the current folder; None if there is
    none. ``variable``: of the environment, by which the application can be given another file; None if none is seen.
    """

    name: str
    example: str | None
    variable: str | None


def missing_file(error: BaseException | None) -> MissingFile | None:
    """The file whose absence an error tells; None if it is about something else, or nothing is known to help.

    Args:
        error: raised by env.py, or by a module that it imports.
    """
    missing = next((cause for cause in causes(error, contexts=False) if isinstance(cause, FileNotFoundError)), None)
    if missing is None or not isinstance(missing.filename, str) or Path(missing.filename).exists():
        return None
    path = Path(missing.filename)
    if path.name in MADE_UP_VALUES:  # a value of ours, which another one replaces
        return None
    result = MissingFile(path.name, _example(path), next(_variables(missing), None))
    return result if result.example or result.variable else None


def _variables(error: BaseException) -> Iterator[str]:
    """Names in the functions that led to the error: an application reads the variable where it opens the file."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        for constant in frame.f_code.co_consts:
            if isinstance(constant, str) and _VARIABLE.fullmatch(constant) and constant not in os.environ:
                yield constant


def _example(missing: Path) -> str | None:
    """The file of the project that is most like a missing one: of the same name, or that of an example of it."""
    here = Path.cwd()
    others = (path for path in _files(_root(here)) if _stem(path.name) == missing.name.lower())
    best = min(others, key=lambda path: (path.parent != missing.parent, *_unlikely(path)), default=None)
    return os.path.relpath(best, here).replace("\\", "/") if best is not None else None


def _unlikely(path: Path) -> tuple[bool, bool, int, str]:
    """The order of examples: those of tests last, those that say so first, then the nearest to the project's folder."""
    is_of_tests = not _OF_TESTS.isdisjoint(path.parts)
    return is_of_tests, _EXAMPLE.search(path.name) is None, len(path.parts), str(path)


def _stem(name: str) -> str:
    """A file's name without the word that makes it an example: settings_example.toml, settings.toml.sample."""
    return _EXAMPLE.sub("", name).lower()


def _root(folder: Path) -> Path:
    """The project's folder around the current one."""
    above = (folder, *folder.parents)[:_LEVELS]
    return next((path for path in above if any((path / name).exists() for name in _PROJECT_FILES)), folder)


def _files(root: Path) -> Iterator[Path]:
    def all_files() -> Iterator[Path]:
        for place, folders, names in os.walk(root):
            folders[:] = sorted(
                name
                for name in folders
                if name not in _NOT_SEARCHED and name[0] != "." and not Path(place, name, "pyvenv.cfg").exists()
            )
            yield from (Path(place, name) for name in sorted(names))

    return itertools.islice(all_files(), _MOST_FILES)
