"""The line of the application that sends a statement: a walk up the stack, with a cached result per code object.

It runs once per recorded statement, so it does little: a dictionary look-up per frame.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import sqlalchemy
from sqlalchemy.sql.base import Executable

from alembic_pgpatterns.workload.model import Site


class Kind(IntEnum):
    """The kind of a frame."""

    LIBRARY = 0
    APPLICATION = 1
    TEST = 2
    """The body of a test."""
    TEST_HELPER = 3
    """In a file of tests, but not the test itself."""
    FLUSH = 4
    """A flush of SQLAlchemy's session."""
    MIGRATION = 5
    """Alembic: the statements belong to a migration."""


@dataclass(slots=True)
class Caller:
    """Who sends a statement.

    ``key``: code object and line of the innermost frame of the application that has not been given the statement by
    its caller, a plain key for dictionaries.
    ``root``: the outermost frame of the application below the test, by which two calls of it are told apart.
    ``flush``: the frame of the flush that sends it.
    """

    key: tuple[CodeType, int] | None = None
    root: Any = None
    flush: FrameType | None = None
    test: bool = False
    migration: bool = False


_SQLALCHEMY = f"{Path(sqlalchemy.__file__).parent}{os.sep}"
_LIBRARY = Kind.LIBRARY
_APPLICATION = Kind.APPLICATION
# Session.flush() calls it only if there is something to write.
_FLUSH = frozenset({"_flush"})


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    names = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(sorted(f"{name}{os.sep}" for name in names))


class CallSites:
    """Finds callers. ``root``: the project's folder, with the application and its tests; paths are relative to it."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._libraries = _library_folders()
        self._own_folder = f"{Path(__file__).parent.parent}{os.sep}"
        self._kinds: dict[CodeType, Kind] = {}
        self._passing: dict[CodeType, bool] = {}
        self._test: CodeType | None = None
        self._test_files: set[str] = set()

    def test_begins(self, body: CodeType | None) -> None:
        """Set ``body`` as the body of the running test."""
        self._kinds.pop(self._test, None) if self._test is not None else None
        self._test = body
        if body is not None:
            self._kinds[body] = Kind.TEST
            self._test_files.add(body.co_filename)

    def caller(self, depth: int) -> Caller:
        """The sender of a statement, ``depth`` frames above."""
        caller_ = Caller()
        kinds = self._kinds
        fallback: tuple[CodeType, int] | None = None
        passing: tuple[CodeType, int] | None = None
        # inspect.stack() and traceback read source files, and this runs for each statement.
        frame: FrameType | None = sys._getframe(depth)
        greenlet: Any = None
        helper: FrameType | None = None
        while True:
            if frame is None:
                # Outside the greenlet of SQLAlchemy's asyncio are the frames of the coroutine.
                greenlet = _parent(greenlet)
                frame = greenlet.gr_frame if greenlet is not None else None
                if frame is None:
                    break
            code = frame.f_code
            kind = kinds.get(code)
            if kind is None:
                kind = kinds[code] = self._kind(code)
            at, frame = frame, frame.f_back
            if kind is _LIBRARY:
                continue
            if kind is Kind.TEST:
                caller_.test = caller_.key is None and fallback is None
                fallback = fallback or (code, at.f_lineno)
                break
            if kind is Kind.FLUSH:
                caller_.flush = at
            elif kind is Kind.MIGRATION:
                caller_.migration = True
                break
            elif kind is _APPLICATION:
                caller_.root = at
                if caller_.key is None:
                    if self._passes(at):
                        passing = passing or (code, at.f_lineno)
                    else:
                        caller_.key = (code, at.f_lineno)
            else:
                helper = at
                if fallback is None:
                    fallback = (code, at.f_lineno)
        caller_.key = caller_.key or passing
        if caller_.key is None:
            # A helper in the tests' own files: no line of the application has a part in it.
            caller_.key, caller_.root, caller_.test = fallback, helper, fallback is not None
        return caller_

    def _passes(self, frame: FrameType) -> bool:
        """Whether a function only sends what its caller has built (``def all(self, query)`` of a repository).

        The caller is the place that people look for: the helper sends the statements of half the application.
        """
        code = frame.f_code
        passes = self._passing.get(code)
        if passes is None:
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            values = frame.f_locals
            passes = self._passing[code] = any(isinstance(values.get(name), Executable) for name in names)
        return passes

    def site(self, key: tuple[CodeType, int], test: bool) -> Site:
        """A caller's key in words."""
        code, line = key
        path = code.co_filename
        if path.startswith(self._root):
            path = path[len(self._root) :]
        return Site(path, line, code.co_qualname.partition(".<locals>.<")[0], test)

    def _kind(self, code: CodeType) -> Kind:
        path = code.co_filename
        if path.startswith(_SQLALCHEMY):
            is_flush = code.co_name in _FLUSH and path.endswith("session.py")
            return Kind.FLUSH if is_flush else Kind.LIBRARY
        if path.startswith(("<", self._own_folder)):
            return Kind.LIBRARY
        inside = path.startswith(self._root) and not _installed(path[len(self._root) :])
        if not inside and (path.startswith(self._libraries) or _installed(path)):
            is_alembic = f"{os.sep}alembic{os.sep}" in path and code.co_name == "run_migrations"
            return Kind.MIGRATION if is_alembic else Kind.LIBRARY
        folders = Path(path[len(self._root) :]).parts[:-1] if inside else ()
        in_tests = bool({"tests", "test"} & set(folders))
        # Of a file beside the application's the name says nothing: start_test.py may start one.
        is_test = in_tests or path in self._test_files or Path(path).name == "conftest.py"
        if is_test and code.co_qualname.rpartition(".<locals>")[0].rpartition(".")[2].startswith("test"):
            return Kind.TEST  # a function in a test, as in many asynchronous tests
        return Kind.TEST_HELPER if is_test else Kind.APPLICATION


def _installed(path: str) -> bool:
    return any(part in ("site-packages", "dist-packages") for part in Path(path).parts)


def _parent(greenlet: Any) -> Any:
    module: Any = sys.modules.get("greenlet")
    if module is None:
        return None
    return (greenlet or module.getcurrent()).parent
