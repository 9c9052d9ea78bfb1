"""Bringing a project to head on a server: by its env.py, by a command of its own, or from its models."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy
from psycopg import Error as PsycopgError

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.project import Project, relative
from alembic_pgpatterns.result import Skipped
from alembic_pgpatterns.revisions.introduced import Introductions
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.command import run_command, variables
from alembic_pgpatterns.server.explain import explain
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.redirect import Routes, redirect
from alembic_pgpatterns.settings import Settings
from alembic_pgpatterns.upgrade import Configured, Run, environment_variables, explained, run_revisions

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import MetaData
    from sqlalchemy.engine import Dialect

SCRATCH = "pgpatterns"
"""The name of a scratch database that stands for no particular one of the project."""


class Progress(Protocol):
    """Who is told what goes on, on a terminal."""

    def say(self, what: str) -> None:
        """A new phase begins: "starting PostgreSQL 18"."""

    def step(self, done: int, total: int, revision: str) -> None:
        """A revision ran."""


@dataclass(frozen=True)
class Database:
    """A scratch database at head. ``label``: the name of the real one it stands for.

    ``meant``: libpq's parameters of the real one, with the password; None where nothing was seen to connect to it.
    """

    name: str
    label: str
    version_tables: tuple[Name, ...]
    metadatas: tuple[MetaData, ...]
    introductions: Introductions | None = None
    meant: Mapping[str, str] | None = field(default=None, repr=False)
    dialect: Dialect | None = None


@dataclass(frozen=True)
class Arrived:
    """Where the revisions are now."""

    databases: tuple[Database, ...]
    revisions: int
    heads: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    hints: tuple[str, ...] = ()


def arrive(project: Project, settings: Settings, server: Server, progress: Progress) -> Arrived:
    """Bring the project to head.

    Raises:
        PgPatternsError: a revision failed, or the revisions did not arrive on this server.
    """
    if settings.upgrade_command is not None:
        return _by_command(project, settings, server, progress)
    progress.say("reading the revisions")
    total = len(project.revisions)
    with on_server(settings, server) as routes:
        if settings.create_all or not total:
            return _by_models(project, server)
        return _by_env_py(project, settings, server, routes, Watch(progress, total))


class Watch:
    """Observes a run: what came with which revision, in each database; and tells how far it is."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self.introductions: list[Introductions] = []

    def configured(self, context: MigrationContext) -> None:
        """Another database."""
        self.introductions.append(Introductions())
        self._done = 0

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """Another revision."""
        self._done += 1
        self._progress.step(self._done, self._total, revision)
        self.introductions[-1].applied(context, revision, is_upgrade)


def _by_env_py(project: Project, settings: Settings, server: Server, routes: Routes, watch: Watch) -> Arrived:
    run = run_revisions(
        project,
        lambda revision, context: project.script._upgrade_revs("heads", revision),
        observers=(watch,),
        fallback=lambda: _engine_connection(settings, server),
        destination_rev="heads",
    )
    databases = [
        Database(
            name=entry.database,
            label=_label(routes, entry.database),
            version_tables=(Name(entry.version_schema or "", entry.version_table),),
            metadatas=entry.metadatas,
            introductions=introductions,
            meant=routes.meant.get(entry.database),
            dialect=entry.dialect,
        )
        for entry, introductions in zip(run.configured, watch.introductions, strict=True)
        if entry.database and at_head(project, server, entry)
    ]
    if not databases:
        raise PgPatternsError(_lost(run, routes))
    skipped = (*_without_models(run), *_outside(project))
    return Arrived(tuple(databases), len(project.revisions), project.heads, skipped, tuple(_opt_in(project, run)))


def _by_models(project: Project, server: Server) -> Arrived:
    """No revision runs: the schema is what the models say, in an otherwise empty database."""
    run = run_revisions(project, lambda revision, context: [], as_sql=True)
    if not run.metadatas:
        lacking = "--create-all needs models" if project.revisions else f"no revision is in {project.script.dir}"
        raise PgPatternsError(f"There is nothing to check: {lacking}, and env.py names no target_metadata.")
    name = server.create_scratch(SCRATCH)
    try:
        _create_all(run.metadatas, server.url(name))
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise explained(error, project) from error
    reason = "none ran: the schema was built from the models"
    return Arrived(
        (Database(name, "", (), run.metadatas),), 0, project.heads, skipped=(Skipped("revisions", reason),)
    )


def _create_all(metadatas: Sequence[MetaData], url: sqlalchemy.URL) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        for metadata in metadatas:
            for schema in sorted({table.schema for table in metadata.tables.values() if table.schema}):
                connection.execute(sqlalchemy.schema.CreateSchema(schema, if_not_exists=True))
            metadata.create_all(connection)


def _by_command(project: Project, settings: Settings, server: Server, progress: Progress) -> Arrived:
    """The project's own program runs the revisions; which ones there are need not be readable from here."""
    assert settings.upgrade_command is not None
    name = server.create_scratch(SCRATCH)
    prepare(settings, server, name)
    progress.say(f"running {settings.upgrade_command}")
    run_command(settings.upgrade_command, server=server, database=name, env=settings.env, cwd=settings.root)
    tables = version_tables(server, name)
    if not tables:
        given = ", ".join(settings.env) or 'none; set for example env = { DATABASE_URL = "{url}" }'
        raise PgPatternsError(
            "The command ended well, but left no version table of Alembic in the database it was given: "
            f"{settings.upgrade_command}\nDoes it read the variables in `env`? They are: {given}."
        )
    heads = tuple(sorted(row for table in tables for row in _versions(server, name, table)))
    unread = Skipped("models", "an upgrade command ran the revisions, so env.py was not read")
    return Arrived((Database(name, "", tables, ()),), 0, heads, skipped=(unread,))


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
def on_server(settings: Settings, server: Server) -> Iterator[Routes]:
    """Whatever the project connects to in here is the server, by its URLs as by the variables of the settings."""
    with _variables(settings, server), _redirected(settings, server) as routes, explained_server(server):
        yield routes


@contextmanager
def _redirected(settings: Settings, server: Server) -> Iterator[Routes]:
    with redirect(server, prepare=lambda database: prepare(settings, server, database)) as routes:
        yield routes


@contextmanager
def _variables(settings: Settings, server: Server) -> Iterator[None]:
    values: Mapping[str, str] = {}
    if settings.env:
        name = server.create_scratch(SCRATCH)
        prepare(settings, server, name)
        values = variables(settings.env, server, name)
    with environment_variables(values):
        yield


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
def _engine_connection(settings: Settings, server: Server) -> Iterator[Any]:
    name = server.create_scratch(SCRATCH)
    prepare(settings, server, name)
    engine = sqlalchemy.create_engine(server.url(name), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        yield connection


def at_head(project: Project, server: Server, entry: Configured) -> bool:
    """Whether the version table in our server says that every head was reached."""
    table = Name(entry.version_schema or "", entry.version_table)
    reached = _versions(server, entry.database, table)
    return bool(reached) and set(project.heads) <= project.ancestors(reached)


def _versions(server: Server, database: str, table: Name) -> tuple[str, ...]:
    name = sqlalchemy.table(table.name, sqlalchemy.column("version_num"), schema=table.schema or None)
    engine = sqlalchemy.create_engine(server.url(database), poolclass=sqlalchemy.NullPool)
    with contextlib.suppress(sqlalchemy.exc.ProgrammingError), engine.connect() as connection:
        return tuple(connection.execute(sqlalchemy.select(name.c.version_num)).scalars())
    return ()


VERSION_TABLES = """
    SELECT n.nspname, c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relname LIKE '%alembic%version%'
      AND (SELECT array_agg(a.attname::text) FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = ARRAY['version_num']
"""


def version_tables(server: Server, database: str) -> tuple[Name, ...]:
    """The tables in which Alembic keeps where it is, found by their shape."""
    with server.connect(database) as connection:
        rows = connection.execute(VERSION_TABLES).fetchall()
    return tuple(Name(schema, name) for schema, name in rows if _versions(server, database, Name(schema, name)))


def _label(routes: Routes, database: str) -> str:
    return next((origin.database for origin, name in routes.databases.items() if name == database), database)


PLUGIN = "alembic_pgpatterns"
OPT_IN = (
    'autogenerate_plugins=["alembic.autogenerate.*", '
    '*(["alembic_pgpatterns"] if find_spec("alembic_pgpatterns") else [])],'
)
"""The line for env.py; it tolerates our absence, where Alembic would fail for a plugin that is not installed."""


def _opt_in(project: Project, run: Run) -> Iterator[str]:
    """How to name the plugin in env.py, where its autogenerate has models and does not know of us."""
    unaware = [e for e in run.configured if e.metadatas and not _names_plugin(e.options.get("autogenerate_plugins"))]
    if unaware and run.own_environment is None:
        yield (
            f"{relative(str(project.env_py.absolute()))} does not name the plugin, so autogenerate does not follow the "
            f"patterns. Add to context.configure(), with `from importlib.util import find_spec` above:\n    {OPT_IN}"
        )


def _names_plugin(plugins: Sequence[str] | None) -> bool:
    return any(fnmatch.fnmatchcase(PLUGIN, name) for name in plugins or ())


def _outside(project: Project) -> Iterator[Skipped]:
    for folder in project.missing_folders():
        yield Skipped(folder, "version_locations names it, and there is no such folder")
    strangers = project.files_outside_history()
    if strangers:
        yield Skipped(
            f"{len(strangers)} files such as {strangers[0]}",
            "they look like revisions, but Alembic does not load them: see version_locations and "
            "recursive_version_locations",
        )


def _without_models(run: Run) -> Iterator[Skipped]:
    if run.own_environment is not None:
        reason = f"env.py failed, so the revisions ran without it, and the models are unknown: {run.own_environment}"
        yield Skipped("models", reason)


def _lost(run: Run, routes: Routes) -> str:
    went = ", ".join(map(str, routes.origins)) or "nowhere"
    if routes.elsewhere:
        went += f"; and to {', '.join(dict.fromkeys(routes.elsewhere))}"
    if not run.configured:
        return (
            f"env.py ended without calling context.configure(), so no revision ran. Connections were meant for: {went}."
        )
    return (
        "The revisions did not arrive on the throw-away server: its version table does not name the heads. "
        f"Connections were meant for: {went}. Does env.py call context.run_migrations() on a connection that it opens "
        "itself? For a program that runs revisions in a way of its own use --upgrade-command."
    )
