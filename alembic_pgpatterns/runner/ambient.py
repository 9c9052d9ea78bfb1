"""What the project's code reads besides the files that it opens: variables, facts about files, the host.

Python has audit events for opening a file and for listing a folder, but not for these, so the functions are wrapped.
Only in the project's process, which ends with the project's code.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LIBRARY = str(Path(os.__file__).parent) + os.sep
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_SITE = f"{os.sep}site-packages{os.sep}"
_EXISTENCE = frozenset({"exists", "lexists", "isfile", "isdir", "islink", "is_file", "is_dir", "is_symlink", "getsize"})
"""Functions of the library that only ask whether a file exists, of what kind, and how large it is."""

Note = Callable[[str], None]


def watch(note: Note) -> None:
    """From now on, record what the project's code asks. This cannot be undone.

    Args:
        note: called with ``env:NAME`` (``env:*`` for all variables), ``stat:PATH`` (kind and size), ``time:PATH`` (time
            of change), ``link:PATH`` (target of a link), ``argv`` or ``host``.
    """
    _watch_variables(note)
    for name, prefix in (("stat", "stat"), ("lstat", "stat"), ("access", "stat"), ("readlink", "link")):
        setattr(os, name, _watched(getattr(os, name), prefix, note))
    for name in ("node", "uname"):
        setattr(platform, name, _noting(getattr(platform, name), "host", note))
    sys.argv = _Arguments(sys.argv, note)


def _watch_variables(note: Note) -> None:
    # On the class: Python looks up special methods there, and not on the object (Python docs, "Special method lookup").
    kind: Any = type(os.environ)
    get, iterate, contains = kind.__getitem__, kind.__iter__, kind.__contains__

    def noted_get(self: Any, key: Any) -> Any:
        _note_variable(note, key)
        return get(self, key)

    def noted_contains(self: Any, key: Any) -> Any:
        _note_variable(note, key)
        return contains(self, key)

    def noted_iterate(self: Any) -> Any:
        if _asker() is not None:
            note("env:*")
        return iterate(self)

    kind.__getitem__, kind.__contains__, kind.__iter__ = noted_get, noted_contains, noted_iterate


def _note_variable(note: Note, key: Any) -> None:
    if isinstance(key, str | bytes) and _asker(3) is not None:  # not this function, nor the one that calls it
        note(f"env:{os.fsdecode(key)}")


def _watched(function: Callable[..., Any], prefix: str, note: Note) -> Callable[..., Any]:
    """Wrap a function that asks for a file's facts."""

    @functools.wraps(function)
    def watched(path: Any, *arguments: Any, **keywords: Any) -> Any:
        asker = _asker()
        if asker is not None and isinstance(path, str | bytes | os.PathLike) and _SITE not in asker:
            name = str(Path(os.fsdecode(path)).absolute())
            if not name.startswith((_LIBRARY, _PACKAGE, "/proc/", "/sys/")) and _SITE not in name:
                note(f"{prefix}:{name}")
                # What asks only whether a file exists does not depend on its time of change, which differs in every
                # checkout.
                if prefix == "stat" and sys._getframe(1).f_code.co_name not in _EXISTENCE:
                    note(f"time:{name}")
        return function(path, *arguments, **keywords)

    return watched


def _noting(function: Callable[..., Any], fact: str, note: Note) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(*arguments: Any, **keywords: Any) -> Any:
        if _asker() is not None:
            note(fact)
        return function(*arguments, **keywords)

    return noting


class _Arguments(list[str]):
    """The program's arguments; records that they are read."""

    def __init__(self, arguments: list[str], note: Note) -> None:
        super().__init__(arguments)
        self._note = note

    def __getitem__(self, index: Any) -> Any:
        if _asker() is not None:
            self._note("argv")
        return super().__getitem__(index)

    def __iter__(self) -> Any:
        if _asker() is not None:
            self._note("argv")
        return super().__iter__()

    def __contains__(self, item: object) -> bool:
        if _asker() is not None:
            self._note("argv")
        return super().__contains__(item)

    def __len__(self) -> int:
        if _asker() is not None:
            self._note("argv")
        return super().__len__()


def _asker(depth: int = 2) -> str | None:
    """The file of the innermost caller outside Python's library; None if it is Python or our package."""
    frame: Any = sys._getframe(depth)
    while frame is not None:
        name = frame.f_code.co_filename
        # A search for a module asks for files in every folder of sys.path; the modules are known from sys.modules.
        if name.startswith("<frozen importlib"):
            return None
        if not name.startswith(("<frozen ", _LIBRARY)) or _SITE in name:
            return None if name.startswith(_PACKAGE) else str(name)
        frame = frame.f_back
    return None
