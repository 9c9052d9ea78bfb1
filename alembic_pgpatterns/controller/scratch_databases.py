"""A run's server and its scratch databases, to which all connections of the project lead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import Error as PsycopgError
from psycopg import sql
from psycopg.errors import QueryCanceled

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.revisions import serverlog
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.command import takes_revision
from alembic_pgpatterns.server.explain import explain
from alembic_pgpatterns.server.external import external_server
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import throwaway_server

SCRATCH = "pgpatterns"
"""The name of a scratch database that replaces no particular database of the project."""


@contextmanager
def open_server(settings: Settings, watched: bool = False, snapshot: Path | None = None) -> Iterator[Server]:
    """The server in the settings: the one that the user named, or a throw-away server.

    ``watched``: a throw-away server logs what revisions do. ``snapshot``: the folder to start from.
    """
    if settings.server is not None:
        with external_server(settings.server, roles=settings.roles) as external:
            yield external
        return
    binaries = find_binaries(settings.postgres_folder)
    # The command may be any program, and many can only connect by TCP.
    # What is watched runs in the project's process, by the socket, and between two revisions maybe the command.
    listen = settings.upgrade_command is not None and (not watched or takes_revision(settings.upgrade_command))
    log = serverlog.SETTINGS if watched else None
    with throwaway_server(binaries, roles=settings.roles, settings=log, listen=listen, snapshot=snapshot) as server:
        yield server


def prepare_text(settings: Settings) -> str | None:
    """The SQL of the setting ``prepare``; None if there is none.

    Raises:
        PgPatternsError: the file cannot be read.
    """
    if settings.prepare is None:
        return None
    path = settings.path(settings.prepare)
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise PgPatternsError(f"prepare: {path} cannot be read: {error}") from error


def prepare(settings: Settings, server: Server, database: str) -> None:
    """Make the schemas and extensions of the settings in a scratch database, and run the ``prepare`` file there.

    Raises:
        PgPatternsError: it cannot be read, or a statement fails.
    """
    if settings.schemas:
        with server.connect(database) as connection:
            for name in settings.schemas:
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
    for name in settings.extensions:
        _create_extension(server, database, name)
    text = prepare_text(settings)
    if settings.prepare is None or text is None:
        return
    try:
        with server.connect(database) as connection:
            limit = str(int(settings.seconds * 1000))
            connection.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (limit,))
            # Without parameters psycopg sends the text as one simple query, which may contain several statements.
            connection.execute(text.encode())
    except QueryCanceled as error:
        raise PgPatternsError(
            f"prepare: {settings.path(settings.prepare)}: a statement ran for longer than time_limit "
            f"({settings.seconds:g} s): {error}"
        ) from error
    except PsycopgError as error:
        raise PgPatternsError(f"prepare: {settings.path(settings.prepare)}: {error}") from error


def _create_extension(server: Server, database: str, name: str) -> None:
    statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(sql.Identifier(name))
    try:
        with server.connect(database) as connection:
            connection.execute(statement)
    except PsycopgError as error:
        reason = f"extensions: {name!r} cannot be created on {server.source}: {error}"
        raise PgPatternsError("\n".join(filter(None, [reason, explain(error, server)]))) from error


def scratch_databases(server: Server) -> frozenset[str]:
    """The server's databases, without PostgreSQL's own."""
    query = "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
    with server.connect() as connection:
        return frozenset(row[0] for row in connection.execute(query))


def disconnect(server: Server, database: str) -> None:
    """End the connections that the project's pools keep open: a database in use cannot be copied."""
    with server.connect() as connection:
        connection.execute(
            # It waits until the session has ended, at most so many milliseconds (PostgreSQL 14).
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE datname = %s",
            (database,),
        )
