"""What the project's code reads besides the files that it opens: variables, facts about files, the host.

Python has audit events for opening a file and for listing a folder, but not for these, so the functions are wrapped.
Only in the project's process, which ends with the project's code.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_readlink = os.readlink
_LIBRARY = str(Path(os.__file__).parent) + os.sep
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_SITE = f"{os.sep}site-packages{os.sep}"
_EXISTENCE = frozenset(
    {"exists", "lexists", "isfile", "isdir", "islink", "is_file", "is_dir", "is_symlink", "getsize", "_joinrealpath"}
)
"""Functions of the library that only ask whether a file exists, of what kind, and how large it is."""

Note = Callable[[str], None]


def watch(note: Note, untracked: str) -> None:
    """From now on, record what the project's code asks. This cannot be undone.

    Args:
        note: called with ``env:NAME`` (``env:*`` for all variables), ``stat:PATH`` (kind and size), ``time:PATH`` (all
            that stat() says but the access), ``lstat:`` and ``ltime:`` (the same of a link itself), ``entries:PATH``
            (all that stat() says of what is in a folder), ``link:PATH`` (target of a link), a path (content), ``argv``,
            ``cpus`` or ``host``.
        untracked: what to note where another process is started whose output nobody can know.
    """
    _watch_variables(note)
    for name, prefix in (("stat", "stat"), ("lstat", "lstat"), ("access", "stat"), ("readlink", "link")):
        _replace(name, _watched(getattr(os, name), prefix, note))
    _replace("fstat", _watched_outside_library(os.fstat, "time", note))
    _replace("scandir", _watched_outside_library(os.scandir, "entries", note))
    _replace("open", _watched_open(os.open, note))
    # Windows lacks some of them.
    for name in {"cpu_count", "sched_getaffinity", "process_cpu_count", "sysconf"} & {*dir(os)}:
        setattr(os, name, _noting(getattr(os, name), "cpus", note))
    for owner, name in ((os, "uname"), (platform, "uname"), (platform, "node")):
        if hasattr(owner, name):
            setattr(owner, name, _noting(getattr(owner, name), "host", note))
    with contextlib.suppress(ModuleNotFoundError):
        # multiprocessing starts its processes by this alone, for which there is no event (util.spawnv_passfds()).
        starting: Any = importlib.import_module("_posixsubprocess")
        starting.fork_exec = _noting(starting.fork_exec, untracked, note)
    sys.argv = _Arguments(sys.argv, note)
    sys.orig_argv = _Arguments(sys.orig_argv, note)


def _replace(name: str, function: Callable[..., Any]) -> None:
    """Replace a function of ``os``, and also in the sets by which programs ask what it can do (``os.supports_fd``)."""
    stock = getattr(os, name)
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if stock in able:
            able.add(function)
    setattr(os, name, function)


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


OF_SHELLS = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "PYTEST_CURRENT_TEST"})
"""A shell changes these by itself: the digest of all variables would differ in every terminal."""


def _note_variable(note: Note, key: Any) -> None:
    asker = _asker(3) if isinstance(key, str | bytes) else None  # not this function, nor the one that calls it
    # Libraries ask for the terminal's size and the like, of which no revision depends.
    if asker is not None and not (_SITE in asker and os.fsdecode(key) in OF_SHELLS):
        note(f"env:{os.fsdecode(key)}")


def _watched(function: Callable[..., Any], prefix: str, note: Note) -> Callable[..., Any]:
    """Wrap a function that asks for a file's facts."""

    @functools.wraps(function)
    def watched(path: Any, *arguments: Any, **keywords: Any) -> Any:
        name = _path_if_of_project(path, keywords.get("dir_fd"))
        if name is not None:
            note(f"{prefix}:{name}")
            # What asks only whether a file exists does not depend on its time of change, which differs in every
            # checkout.
            if prefix != "link" and sys._getframe(1).f_code.co_name not in _EXISTENCE:
                note(f"{'ltime' if prefix == 'lstat' else 'time'}:{name}")
        return function(path, *arguments, **keywords)

    return watched


def _watched_outside_library(function: Callable[..., Any], prefix: str, note: Note) -> Callable[..., Any]:
    """Wrap a function of one place, whose other facts Python's own library has no use for.

    It asks ``fstat`` for the size, of what is read anyway, and ``scandir`` for names. The entries that others get from
    ``scandir`` know size and times without a call of stat().
    """

    @functools.wraps(function)
    def watched(*arguments: Any, **keywords: Any) -> Any:
        place = (*arguments, *keywords.values(), ".")[0]
        by_library = sys._getframe(1).f_code.co_filename.startswith(_LIBRARY)
        if not by_library and (name := _path_if_of_project(place)) is not None:
            note(f"{prefix}:{name}")
        return function(*arguments, **keywords)

    return watched


def _watched_open(function: Callable[..., Any], note: Note) -> Callable[..., Any]:
    """Wrap ``open``: its audit event does not have the folder that a path is relative to."""

    @functools.wraps(function)
    def watched(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        if dir_fd is not None and (name := _path_if_of_project(path, dir_fd)) is not None:
            note(name)
        return function(path, flags, mode, dir_fd=dir_fd)

    return watched


def _path_if_of_project(path: Any, folder: int | None = None) -> str | None:
    """The path that the project's code asks for; None if it is not of the project, or another one's code asks."""
    asker = _asker(3)  # not this function, nor the one that calls it
    if asker is None or _SITE in asker:
        return None
    name = absolute(path, folder)
    if name is None or name.startswith((_LIBRARY, _PACKAGE, "/proc/", "/sys/")) or _SITE in name:
        return None
    return name


def absolute(path: Any, folder: int | None = None) -> str | None:
    """A path from the root; None if it is none.

    Args:
        path: text, bytes, an object with a path, or the number of an open file.
        folder: the number of an open folder that the path is relative to; None for the current one.
    """
    if isinstance(path, int) and not isinstance(path, bool):
        return _place(path)
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    base = _place(folder) if folder is not None else None
    return str(Path(base or ".", os.fsdecode(path)).absolute())


def _place(descriptor: int) -> str | None:
    """What an open file is called (Linux); None if it has no name, as a pipe."""
    try:
        name = _readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None
    return name if name.startswith("/") else None


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
