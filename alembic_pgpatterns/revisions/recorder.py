"""Which line of a revision sent which statement: listeners that are active while a revision runs."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Engine

_PID = "pgpatterns.pid"


@dataclass(frozen=True, slots=True)
class Site:
    """A call in a revision's file, from its first to its last line."""

    path: str
    line: int
    last_line: int


@dataclass(slots=True)
class Call:
    """A sent statement: the position in the log before and after it, and the locks held afterwards.

    ``rows``: how many it changed; None for a statement that changes no rows. ``batched``: by the end of a
    ``batch_alter_table`` block.
    """

    site: Site | None
    op: str | None
    pid: int
    start: int
    end: int = 0
    began: float = 0.0
    milliseconds: float = 0.0
    locks: dict[int, set[str]] = field(default_factory=dict)
    text: str = ""
    rows: int | None = None
    batched: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run did: its statements in order, and the server processes of its connections."""

    calls: tuple[Call, ...] = ()
    pids: frozenset[int] = frozenset()


class RevisionFiles(Protocol):
    """The loaded revisions' files."""

    @property
    def files(self) -> frozenset[str]:
        """The absolute paths of the files."""


class _SitedBatch(list[Any]):
    """The queued operations of a ``batch_alter_table``. They run when its block ends, but keep their own lines."""

    def __init__(self, recorder: Recorder, items: list[Any]) -> None:
        super().__init__(items)
        self._recorder = recorder
        self.sites: list[tuple[Site | None, str]] = []

    def __iter__(self) -> Iterator[Any]:
        for number, item in enumerate(super().__iter__()):
            self._recorder.batched = self.sites[number] if number < len(self.sites) else None
            yield item
        self._recorder.batched = None


class Recorder:
    """Records the calls of a run."""

    def __init__(self, revisions: RevisionFiles, log: Path, locks: Callable[[int], dict[int, set[str]]]) -> None:
        """``revisions``: their files. ``log``: the server's log. ``locks``: returns the locks of a backend."""
        self._revisions = revisions
        self._log = log
        self._locks = locks
        self._ops: list[tuple[str, Site | None]] = []
        self.batched: tuple[Site | None, str] | None = None
        self.active = False
        self.calls: list[Call] = []
        self.pids: set[int] = set()

    def result(self) -> Recording:
        """The recorded facts, as plain data."""
        return Recording(tuple(self.calls), frozenset(self.pids))

    def position(self) -> int:
        """The end of the server's log, in bytes."""
        return self._log.stat().st_size

    @contextmanager
    def recording(self) -> Iterator[list[int]]:
        """Record while the revision's function runs. The list gets the start and, at the end, the end in the log."""
        window = [self.position()]
        self.active = True
        try:
            yield window
        finally:
            self.active = False
            window.append(self.position())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record while the environment runs: a connection may be opened long before the revision."""
        listeners = (
            ("before_cursor_execute", self._before),
            ("after_cursor_execute", self._after),
        )
        with contextlib.ExitStack() as stack:
            for name, listener in listeners:
                event.listen(Engine, name, listener)
                stack.callback(event.remove, Engine, name, listener)
            stack.enter_context(self._named_operations())
            yield

    def site(self) -> Site | None:
        """The innermost call in a revision's file."""
        files = self._revisions.files
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            # co_filename is the path by which the file was loaded, which may be relative.
            path = frame.f_code.co_filename
            if path in files or str(Path(path).absolute()) in files:
                first, last = _lines(frame)
                return Site(path, first, last)
            frame = frame.f_back
        return None

    def _before(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        pid = backend_pid(connection)
        self.pids.add(pid)
        if self.active:
            op, site = self._ops[-1] if self._ops else (None, None)
            batched = self.batched is not None
            if self.batched is not None:
                site, op = self.batched
            # The log's end before the statement: the server writes the statement into its log before it runs it.
            self.calls.append(
                Call(
                    site or self.site(),
                    op,
                    pid,
                    self.position(),
                    began=time.perf_counter(),
                    text=statement,
                    batched=batched,
                )
            )

    def _after(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if self.active and self.calls:
            call = self.calls[-1]
            call.milliseconds = (time.perf_counter() - call.began) * 1000
            call.end = self.position()
            call.rows = _changed_rows(cursor)
            call.locks = self._locks(call.pid)

    @contextmanager
    def _named_operations(self) -> Iterator[None]:
        from alembic.operations import base

        owner: Any = getattr(base, "AbstractOperations", base.Operations)  # the latter before Alembic 1.11
        stock = owner.invoke
        recorder = self

        def invoke(operations: Any, operation: Any) -> Any:
            return recorder._invoked(stock, operations, operation)

        owner.invoke = invoke
        try:
            yield
        finally:
            owner.invoke = stock

    def _invoked(self, stock: Callable[[Any, Any], Any], operations: Any, operation: Any) -> Any:
        from alembic.operations.batch import BatchOperationsImpl

        if not self.active:
            return stock(operations, operation)
        name, site = operation_name(operation), self.site()
        batch = getattr(operations.impl, "batch", None) if isinstance(operations.impl, BatchOperationsImpl) else None
        if batch is not None and not isinstance(batch, _SitedBatch):
            batch = operations.impl.batch = _SitedBatch(self, batch)
        self._ops.append((name, site))
        try:
            return stock(operations, operation)
        finally:
            self._ops.pop()
            if isinstance(batch, _SitedBatch):
                batch.sites += itertools.repeat((site, name), len(batch) - len(batch.sites))


def _changed_rows(cursor: Any) -> int | None:
    """The number of changed rows. A SELECT has a description; a statement that changes no rows has no count."""
    count = getattr(cursor, "rowcount", -1)
    return count if cursor.description is None and count is not None and count >= 0 else None


def operation_name(operation: Any) -> str:
    """The name on ``op``: ``create_index`` for ``CreateIndexOp``."""
    name = type(operation).__name__.removesuffix("Op")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def backend_pid(connection: Any) -> int:
    """The server process of a SQLAlchemy connection, as its driver reports it."""
    info = connection.info
    if _PID not in info:
        fairy = connection.connection
        driven = getattr(fairy, "driver_connection", None) or fairy.connection  # the latter in SQLAlchemy 1.4
        info[_PID] = _reported_pid(driven)
    return int(info[_PID])


def _reported_pid(driven: Any) -> int:
    """The server process as the driver knows it, else as the server says; a statement more is in no one's way."""
    of_driver = getattr(getattr(driven, "info", None), "backend_pid", None)  # psycopg and psycopg2
    if of_driver is None and hasattr(driven, "get_server_pid"):  # asyncpg
        of_driver = driven.get_server_pid()
    if of_driver is not None:
        return int(of_driver)
    # pg8000 and others of Python's DB-API. Whoever asks is about to run a statement in this transaction anyway.
    cursor = driven.cursor()
    try:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
    finally:
        cursor.close()


def _lines(frame: FrameType) -> tuple[int, int]:
    # f_lasti counts bytes, and an instruction has two (Python docs, "dis"). co_positions() is new in Python 3.11; it is
    # empty with -X no_debug_ranges.
    positions = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    first = (positions[0] if positions else None) or frame.f_lineno
    return first, max((positions[1] if positions else None) or first, first)
