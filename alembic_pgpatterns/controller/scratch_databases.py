"""A run's server and its scratch databases: whatever the project connects to leads to one, as the settings say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from psycopg import Error as PsycopgError

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions import serverlog
from alembic_pgpatterns.runner.run_env import environment_variables
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.command import variables
from alembic_pgpatterns.server.explain import explain
from alembic_pgpatterns.server.external import external_server
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.real_database import RealDatabase
from alembic_pgpatterns.server.redirect import Routes, redirect
from alembic_pgpatterns.server.throwaway import throwaway_server

SCRATCH = "pgpatterns"
"""The name of a scratch database that stands for no particular one of the project."""


@contextmanager
def open_server(settings: Settings, watched: bool = False, snapshot: Path | None = None) -> Iterator[Server]:
    """The server of the settings: the one the user named, else a throw-away one.

    ``watched``: a throw-away one writes what revisions do into its log. ``snapshot``: the folder to start from.
    """
    if settings.server is not None:
        with external_server(settings.server, roles=settings.roles) as external:
            yield external
        return
    binaries = find_binaries(settings.postgres_folder)
    # A command is any program: many can only do TCP.
    listen = settings.upgrade_command is not None
    log = serverlog.SETTINGS if watched else None
    with throwaway_server(binaries, roles=settings.roles, settings=log, listen=listen, snapshot=snapshot) as server:
        yield server


def prepare(settings: Settings, server: Server, database: str) -> None:
    """Run the ``prepare`` file in a scratch database.

    Raises:
        PgPatternsError: it cannot be read, or a statement fails.
    """
    if settings.prepare is None:
        return
    path = settings.path(settings.prepare)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PgPatternsError(f"prepare: {path} cannot be read: {error}") from error
    try:
        with server.connect(database) as connection:
            connection.execute(text.encode())
    except PsycopgError as error:
        raise PgPatternsError(f"prepare: {path}: {error}") from error


@contextmanager
def on_server(
    settings: Settings,
    server: Server,
    databases: Mapping[RealDatabase, str] | None = None,
    environment: str | None = None,
) -> Iterator[Routes]:
    """Whatever the project connects to in here is the server, by its URLs as by the variables of the settings.

    Args:
        settings: of the project.
        server: where it leads.
        databases: scratch databases that are there already, by what they stand for.
        environment: the one that is there already for the variables.
    """
    if settings.env and environment is None:
        environment = server.create_scratch(SCRATCH)
        prepare(settings, server, environment)
    values = variables(settings.env, server, environment) if environment is not None else {}
    with environment_variables(values), _redirected(settings, server) as routes, explained_server(server):
        routes.databases.update(databases or {})
        routes.environment = environment
        yield routes


@contextmanager
def _redirected(settings: Settings, server: Server) -> Iterator[Routes]:
    with redirect(server, prepare=lambda database: prepare(settings, server, database)) as routes:
        yield routes


@contextmanager
def explained_server(server: Server) -> Iterator[None]:
    """Errors that have to do with the server say so, and name the way out: it is gone, it lacks an extension."""
    try:
        yield
    except Exception as error:
        said = server.failure() or explain(error, server)
        if said is None:
            raise
        raise PgPatternsError(f"{error}\n{said}") from error


@contextmanager
def engine_connection(settings: Settings, server: Server) -> Iterator[Any]:
    """A connection to a scratch database of its own, for a run without env.py."""
    name = server.create_scratch(SCRATCH)
    prepare(settings, server, name)
    engine = sqlalchemy.create_engine(server.url(name), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        yield connection


def scratch_databases(server: Server) -> frozenset[str]:
    """What the server has, but PostgreSQL's own."""
    query = "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
    with server.connect() as connection:
        return frozenset(row[0] for row in connection.execute(query))
