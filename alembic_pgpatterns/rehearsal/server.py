"""The server of a rehearsal: configured as in production and on disk, or one from the user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.external import external_server
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server

MARKER = "pgpatterns_disposable"
"""An empty database of this name means that the rehearsal may fill and slow down the server."""
BUSY = 256 << 20
"""Bytes in databases from which on the disk may be busy for a while after they were written."""
LARGE_WAL = 256
"""MB of WAL between two checkpoints, if the disk allows it. A rewrite of a million rows fills that once."""
AS_PRODUCTION = {
    "fsync": "",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "max_wal_size": f"{LARGE_WAL}MB",
    "checkpoint_timeout": "5min",
    "shared_buffers": "16MB",
    "maintenance_work_mem": "16MB",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
"""Settings that affect durations, and that the throw-away server changes for all other uses.

Those for the disk are PostgreSQL's defaults. Memory, and WAL between two checkpoints, are less: a million rows of a
rehearsal must take the ways that many millions take in production. With the defaults a million rows fit into
shared_buffers, are sorted in memory and need no checkpoint; eight million do not, and took up to twice as long as eight
times a million (benchmarks/rehearsal.py; PostgreSQL docs, "Resource Consumption" and "WAL Configuration").
"""


@contextmanager
def rehearsal_server(settings: Settings, disk: int | None = None) -> Iterator[Server]:
    """The server of the settings if it is marked as disposable, else a throw-away one on disk.

    Args:
        settings: of the project.
        disk: bytes that it may use, of which its WAL gets no more than a quarter; None: any number.

    Raises:
        PgPatternsError: the server holds no marker database, or one with something in it.
    """
    if settings.server is not None:
        with external_server(settings.server, roles=settings.roles) as external:
            _demand_marker(external)
            yield external
        return
    limits = {"max_wal_size": f"{max(64, disk >> 22)}MB"} if disk is not None and disk >> 22 < LARGE_WAL else {}
    with throwaway_server(
        find_binaries(settings.postgres_folder), roles=settings.roles, settings=AS_PRODUCTION | limits, on_disk=True
    ) as server:
        make_durable(server, False)
        yield server


def make_durable(server: Server, durable: bool) -> None:
    """Let a throw-away server write to disk as in production, or not while it is only filled.

    Before it becomes durable, all that was written so far goes to the disk. Otherwise the disk would be busy with the
    rows and the copies of databases while a revision is measured, and the more rows, the longer.

    Args:
        server: one that the user gave stays as it is.
        durable: whether commits and checkpoints wait for the disk.
    """
    if isinstance(server, ThrowawayServer):
        with server.connect() as connection:
            # It takes effect without a restart (context "sighup" in pg_settings).
            connection.execute(sql.SQL("ALTER SYSTEM SET fsync = {}").format(sql.Literal("on" if durable else "off")))
            connection.execute("SELECT pg_reload_conf()")
            if durable:
                connection.execute("CHECKPOINT")
                size = connection.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone()
                if size is not None and size[0] > BUSY:
                    # While fsync was off, only the kernel knows what is not on the disk. It writes for all programs of
                    # the machine, so a rehearsal on few rows does not wait for it.
                    os.sync()


def _demand_marker(server: Server) -> None:
    with server.connect() as connection:
        row = connection.execute("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (MARKER,)).fetchone()
    if row is None:
        raise PgPatternsError(
            f"{server.source} has no database {MARKER}. A rehearsal fills the disk and slows the server down, so it "
            f"runs only where that database says that it may. If nobody else uses the server: CREATE DATABASE {MARKER}."
        )
    try:
        with server.connect(MARKER) as connection:
            tables = connection.execute("SELECT count(*) FROM pg_catalog.pg_class WHERE oid >= 16384").fetchone()
    except psycopg.Error as error:
        raise PgPatternsError(f"{server.source}: the database {MARKER} cannot be opened: {error}") from error
    if tables is not None and tables[0]:
        raise PgPatternsError(
            f"The database {MARKER} of {server.source} is not empty, so it is not the marker of a disposable server. "
            "Name another server, or empty it."
        )
