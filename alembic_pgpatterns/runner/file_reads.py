"""Record which files the project's code reads, from Python's audit events."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from alembic_pgpatterns.fences import libpq
from alembic_pgpatterns.fences.allowed import LOCAL_SERVICES
from alembic_pgpatterns.runner import ambient

UNTRACKED = "elsewhere"
"""Stands for the output of a program or another machine: it may differ next time, so nothing is cached."""
IN_C = "in C"
"""Stands for what a library in C reads, of which Python knows nothing."""
MODULE = "module:"
"""In front of a file with Python's code that env.py opens: it may be a module, and these are known otherwise."""

# A fork counts, because what the other process reads is recorded there and lost.
_PROGRAMS = frozenset(
    {"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty", "http.client.connect"}
)
_FOLDERS = frozenset({"os.listdir", "os.scandir"})
_NAMES = frozenset({"socket.gethostbyname", "socket.gethostbyaddr", "socket.getaddrinfo", "socket.getnameinfo"})
_MACHINES = frozenset({"socket.gethostname", "socket.getfqdn"})
_ATTRIBUTES = frozenset({"os.getxattr", "os.listxattr"})
_OF_THE_SYSTEM = ("/proc/", "/sys/")
_RUN_FOLDER = f"{os.sep}pgpatterns-"
_LIBRARY = str(Path(os.__file__).parent) + os.sep
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_DISTRIBUTIONS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_MODULES = (".py", ".pyc", ".so", ".pyd")
_SEARCHES = (f"{_LIBRARY}importlib{os.sep}metadata", f"{_LIBRARY}pkgutil.py")
"""Python's search for distributions and modules, in all of sys.path."""


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
        elif event in _FOLDERS:
            _listed(sink, arguments[0])
        elif event in _OTHERS:
            _OTHERS[event](sink, arguments)

    def note(self, fact: str) -> None:
        """Record a fact that `ambient` has seen."""
        if self.sinks:
            self.sinks[-1].read.add(fact)


@cache
def _hook() -> _Hook:
    return _Hook()


def watch() -> None:
    """From now on, also record what the project's code reads otherwise (`ambient`). Only for its own process."""
    ambient.watch(_hook().note, UNTRACKED)


@contextlib.contextmanager
def recorded(read: set[str], *, code: bool) -> Iterator[None]:
    """Add to ``read`` the absolute paths of all files and folders that are read inside, and what stands for the rest.

    ``code``: also add modules, since revisions may depend on them. Those of env.py are known from the loaded ones.
    """
    hook = _hook()
    hook.sinks.append(_Sink(read, code))
    try:
        yield
    finally:
        hook.sinks.pop()


def _opened(sink: _Sink, path: object, mode: object, flags: object) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)):
        return
    # Two calls up: this function, the hook. An application imports a thousand modules, so first of all these. Loaders
    # read other files too (pkgutil.get_data).
    is_loader = not sink.code and sys._getframe(2).f_code.co_filename.startswith("<frozen importlib")
    if is_loader and os.fsdecode(path).endswith(_MODULES):
        return
    name = str(Path(os.fsdecode(path)).absolute())
    if isinstance(flags, int) and (flags & os.O_ACCMODE == os.O_WRONLY or flags & os.O_TRUNC):
        if flags & os.O_EXCL:  # it fails if the file exists
            sink.read.add(f"stat:{name}")
        return
    if name.endswith((".py", ".pyc")):
        if not sink.code and _first_caller().startswith(_PACKAGE):
            return
        source = _source(name)
        name = source if sink.code else f"{MODULE}{source}"
    if name.startswith(_OF_THE_SYSTEM):
        # /proc holds this process's environment and arguments, and what differs each time.
        if _asker_is_own():
            sink.read.add(UNTRACKED)
    elif _RUN_FOLDER not in name:
        sink.read.add(name)


def _listed(sink: _Sink, path: object) -> None:
    name = ambient.absolute("." if path is None else path)
    if name is None or _by_imports():
        return
    # Python and its libraries search these folders for modules, distributions and temporary files.
    if name in {*(str(Path(place).absolute()) for place in sys.path), tempfile.gettempdir()} and not _asker_is_own():
        return
    sink.read.add(name)


def _ran(sink: _Sink, arguments: tuple[Any, ...]) -> None:
    if not _by_import_of_others():
        sink.read.add(UNTRACKED)


def _connected(sink: _Sink, arguments: tuple[Any, ...]) -> None:
    """A connection that the fences allow: not to the check's server, then it is to what the settings allow."""
    address = arguments[1]
    if isinstance(address, (str, bytes)):
        path = os.fsdecode(address)
        if _RUN_FOLDER in path or path.startswith(LOCAL_SERVICES):
            return
    _ran(sink, arguments)


def _looked_up(sink: _Sink, arguments: tuple[Any, ...]) -> None:
    if _asker_is_own():
        sink.read.add(UNTRACKED)


def _loaded_c(sink: _Sink, arguments: tuple[Any, ...]) -> None:
    if _asker_is_own():
        sink.read.add(IN_C)


def _of_sqlite(sink: _Sink, arguments: tuple[Any, ...]) -> None:
    """SQLite opens its files in C, for which there is no event "open"."""
    path = arguments[0]
    if isinstance(path, (str, bytes, os.PathLike)):
        text = os.fsdecode(path)
        # SQLite's own form (docs, "Uniform Resource Identifiers"); the part before the path is empty or a host.
        _database(sink, unquote(urlsplit(text).path) if text.startswith("file:") else text)


def _database(sink: _Sink, path: str) -> None:
    # What was committed last may be in the second file for a while (docs, "Write-Ahead Logging").
    for name in (path, f"{path}-wal"):
        _opened(sink, name, "r", os.O_RDONLY)


_OTHERS: dict[str, Callable[[_Sink, tuple[Any, ...]], None]] = {
    **dict.fromkeys(_PROGRAMS, _ran),
    **dict.fromkeys(_NAMES, _looked_up),
    **dict.fromkeys(_MACHINES, lambda sink, arguments: sink.read.add("host")),
    **dict.fromkeys(_ATTRIBUTES, lambda sink, arguments: sink.read.add(f"time:{ambient.absolute(arguments[0])}")),
    "socket.connect": _connected,
    "ctypes.dlopen": _loaded_c,
    "sqlite3.connect": _of_sqlite,
}


def _source(path: str) -> str:
    """The module's source, if Python opened the compiled file."""
    with contextlib.suppress(ValueError):
        # ValueError: the path is not in a __pycache__, as with compiled files that are shipped without their source.
        source = importlib.util.source_from_cache(path)
        return source if Path(source).exists() else path
    return path


def _by_imports() -> bool:
    """Whether this is a search for a module, or Alembic's search for revisions: it depends on the library's caller."""
    for name in _callers():
        if name.startswith("<frozen importlib"):
            return True
        if not name.startswith(("<frozen ", _LIBRARY)):
            return name.startswith(str(Path(sys.modules["alembic"].__file__ or "").parent) + os.sep)
    return False


def _asker_is_own() -> bool:
    """Whether the project's own file asks, itself or through Python's library, and not for a distribution's version."""
    for name in _callers():
        if name.startswith((*_SEARCHES, "<frozen importlib", _PACKAGE)):
            return False
        if not name.startswith(("<frozen ", _LIBRARY)):
            return not any(part in name for part in _DISTRIBUTIONS)
    return False


def _by_import_of_others() -> bool:
    """Whether a distribution reads facts about the machine while it is imported, as many do; or this package does."""
    caller = _first_caller()
    imported = any(name.startswith("<frozen importlib") for name in _callers())
    return caller.startswith(_PACKAGE) or (imported and any(part in caller for part in _DISTRIBUTIONS))


def _first_caller() -> str:
    """The innermost file outside of Python's library; empty if there is none."""
    return next((name for name in _callers() if not name.startswith(("<frozen ", _LIBRARY))), "")


def _callers() -> Iterator[str]:
    """The files of the calls that raised the event, from the innermost on, without this one."""
    # The function in C that raised the event has no frame.
    frame = sys._getframe(1)
    while frame is not None:
        # Functions that are wrapped have a frame of ours between the library's and the caller's.
        if frame.f_code.co_filename not in (__file__, ambient.__file__, libpq.__file__):
            yield frame.f_code.co_filename
        frame = frame.f_back  # type: ignore[assignment]
