"""The limits of time and disk, watched while a rehearsal runs: whatever a revision does, it ends there."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.options import TIME_IS_OVER, Budget, LimitReached
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer

INTERVAL = 0.25
"""Seconds between two looks."""
FREE = 0.9
"""The largest part of the free disk that is used, whatever --disk says: PostgreSQL ends if the disk is full."""
_DATABASES = """
SELECT (SELECT coalesce(sum(pg_database_size(datname)), 0) FROM pg_database WHERE datname = ANY(%(names)s))::bigint
"""
_BESIDE = """
(
    SELECT coalesce(sum(size), 0)::bigint
    FROM (SELECT size FROM pg_ls_waldir() UNION ALL SELECT size FROM pg_ls_tmpdir()) AS files
)
"""
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%(names)s) AND pid <> pg_backend_pid()"
)

Names = Callable[[], Sequence[str]]


@dataclass
class Watch:
    """``budget``: the time. ``disk``: the most bytes that databases, WAL and temporary files may grow by.

    ``peak``: the largest growth since `restart`. ``reason``: the limit that was reached.
    """

    server: Server
    budget: Budget
    disk: int
    peak: int = 0
    reason: str | None = None
    _before: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Take the present use of the disk as the beginning."""
        if isinstance(self.server, ThrowawayServer):
            self.disk = min(self.disk, int(shutil.disk_usage(self.server.folder).free * FREE))
        with self.server.connect() as connection:
            self._before = self._used(connection, [])

    def restart(self, databases: Names) -> int:
        """Begin with a new ``peak``: the growth at present, which is also returned, in bytes."""
        with self.server.connect() as connection:
            self.peak = max(0, self._used(connection, list(databases())) - self._before)
        return self.peak

    def check(self) -> None:
        """Raise LimitReached if a limit was reached."""
        self.budget.check()
        if self.reason is not None:
            reason, self.reason = self.reason, None
            raise LimitReached(reason)

    @contextmanager
    def over(self, databases: Names, *, end: bool) -> Iterator[None]:
        """Look at both limits all the while, and raise LimitReached afterwards if one was reached.

        A thread looks. No process of the project is forked meanwhile, since a fork would copy the thread's locks.

        Args:
            databases: their names, which may change.
            end: at a limit, end all connections to them; else only remember it, for `check`.
        """
        self._ended.clear()
        thread = threading.Thread(target=self._look, args=(databases, end), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            # Once more, for what takes less than the interval.
            self._glance(databases, end=False)
        self.check()

    def _look(self, databases: Names, end: bool) -> None:
        while not self._ended.wait(INTERVAL):
            self._glance(databases, end)

    def _glance(self, databases: Names, end: bool) -> None:
        # If a database was dropped while its size was taken, or the server ended, whoever uses it says so.
        with suppress(psycopg.Error, PgPatternsError), self.server.connect() as connection:
            names = list(databases())
            self._compare(self._used(connection, names))
            if self.reason is not None and end:
                connection.execute(_END, {"names": names})

    def _compare(self, used: int) -> None:
        self.peak = max(self.peak, used - self._before)
        if self.reason is None and self.budget.left <= 0:
            self.reason = TIME_IS_OVER
        if self.reason is None and self.peak > self.disk:
            self.reason = f"it needs more than {self.disk / (1 << 20):,.0f} MB of disk (--disk, or what is free)"

    def _used(self, connection: psycopg.Connection[Any], names: list[str]) -> int:
        """Bytes of databases, WAL and temporary files. On a server of the user's the WAL is that of others, too."""
        whole = isinstance(self.server, ThrowawayServer)
        row = connection.execute(f"{_DATABASES} + {_BESIDE}" if whole else _DATABASES, {"names": names}).fetchone()
        return int(row[0]) if row else 0
