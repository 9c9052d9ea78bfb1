"""Record which files the project's code reads, from Python's audit events."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic_pgpatterns.runner import ambient

UNTRACKED = "elsewhere"
"""Stands for the output of a program or another machine: it may differ next time, so nothing is cached."""

_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "http.client.connect"})
_FOLDERS = frozenset({"os.listdir", "os.scandir"})
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_MACHINES = frozenset({"socket.gethostname", "socket.getfqdn"})
_OF_THE_SYSTEM = ("/proc/", "/sys/")
_RUN_FOLDER = f"{os.sep}pgpatterns-"
_LIBRARY = str(Path(os.__file__).parent) + os.sep


@dataclass(frozen=True)
class _Sink:
    """Where reads are recorded. ``code``: also modules and folders, because a revision may depend on them."""

    read: set[str]
    code: bool


class _Hook:
    """The audit hook (Python docs, "Audit events table"). Python cannot remove one again."""

    def __init__(self) -> None:
        self.sinks: list[_Sink] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        # The hook stays for good and is called for every event of the process, so this has to be quick.
        if not self.sinks:
            return
        sink = self.sinks[-1]
        if event == "open":
            _opened(sink, *arguments)
        elif sink.code and event in _FOLDERS and not _by_imports():
            _listed(sink, arguments[0])
        elif event in _PROGRAMS and not _by_import_of_others():
            sink.read.add(UNTRACKED)
        # SQLite opens its file in C, for which there is no event "open".
        elif event == "sqlite3.connect":
            _opened(sink, arguments[0], "r", os.O_RDONLY)
        elif event in _MACHINES:
            sink.read.add("host")

    def note(self, fact: str) -> None:
        """Record a fact that `ambient` has seen."""
        if self.sinks:
            self.sinks[-1].read.add(fact)


@cache
def _hook() -> _Hook:
    return _Hook()


def watch() -> None:
    """From now on, also record what the project's code reads otherwise (`ambient`). Only for its own process."""
    ambient.watch(_hook().note)


@contextlib.contextmanager
def recorded(read: set[str], *, code: bool) -> Iterator[None]:
    """Add to ``read`` the absolute paths of all files opened for reading inside, and `UNTRACKED` for a program.

    ``code``: also add modules, and folders that are listed.
    """
    hook = _hook()
    hook.sinks.append(_Sink(read, code))
    try:
        yield
    finally:
        hook.sinks.pop()


def _opened(sink: _Sink, path: object, mode: object, flags: object) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)) or (isinstance(flags, int) and flags & _WRITING):
        return
    name = str(Path(os.fsdecode(path)).absolute())
    if name.endswith((".py", ".pyc")):
        if not sink.code:  # env.py's imports are known from the loaded modules
            return
        name = _source(name)
    if not name.startswith(_OF_THE_SYSTEM) and _RUN_FOLDER not in name:
        sink.read.add(name)


def _listed(sink: _Sink, path: object) -> None:
    if path is None or isinstance(path, (str, bytes, os.PathLike)):
        name = str(Path(os.fsdecode(path or ".")).absolute())
        # Python and its libraries search these folders for modules, distributions and temporary files.
        if name not in {*(str(Path(place).absolute()) for place in sys.path), tempfile.gettempdir()}:
            sink.read.add(name)


def _source(path: str) -> str:
    """The module's source, if Python opened the compiled file."""
    with contextlib.suppress(ValueError):
        # ValueError: the path is not in a __pycache__, as with compiled files that are shipped without their source.
        source = importlib.util.source_from_cache(path)
        return source if Path(source).exists() else path
    return path


def _by_imports() -> bool:
    """Whether this is a search for a module, or Alembic's search for revisions: it depends on the library's caller."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return True
        if not name.startswith(("<frozen ", _LIBRARY)):
            return name.startswith(str(Path(sys.modules["alembic"].__file__ or "").parent) + os.sep)
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _by_import_of_others() -> bool:
    """Whether a distribution reads facts about the machine while it is imported, as many do."""
    names: list[str] = []
    # 0 is this function, 1 the hook. The function in C that raised the event has no frame.
    frame = sys._getframe(2)
    while frame is not None:
        names.append(frame.f_code.co_filename)
        frame = frame.f_back  # type: ignore[assignment]
    caller = next((name for name in names if not name.startswith(("<frozen ", _LIBRARY))), "")
    imported = any(name.startswith("<frozen importlib") for name in names)
    return imported and not {"site-packages", "dist-packages"}.isdisjoint(Path(caller).parts)
