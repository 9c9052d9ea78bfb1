"""Running a project's revisions on a server of ours, by its own env.py wherever that can be."""

from __future__ import annotations

import configparser
import contextlib
import io
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import exc, make_url

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.file_reads import recorded
from alembic_pgpatterns.runner.project import Project, describe, described, innermost, lacking
from alembic_pgpatterns.runner.sandbox import sandboxed
from alembic_pgpatterns.server.signals import Terminated

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script
    from sqlalchemy import MetaData
    from sqlalchemy.engine import Dialect


class Observer(Protocol):
    """Who wants to know how a run goes. All of it runs inside the run: quickly, and without touching its connection."""

    def configured(self, context: MigrationContext) -> None:
        """env.py called ``context.configure`` (once a database in a multi-database project)."""

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """A revision ran, and the version table says so; its transaction may still be open."""


@dataclass
class Configured:
    """What one ``context.configure`` said: one a database in a multi-database project."""

    options: Mapping[str, Any]
    database: str
    metadatas: tuple[MetaData, ...]
    version_table: str
    version_schema: str | None
    dialect: Dialect
    """The application's, with its driver."""
    applied: list[str] = field(default_factory=list)


@dataclass
class EnvRun:
    """What a run of env.py told us."""

    configured: list[Configured] = field(default_factory=list)
    own_environment: str | None = None
    """Why env.py could not be used and the revisions ran without it; None where it was used."""

    @property
    def metadatas(self) -> tuple[MetaData, ...]:
        """All target metadata, each once."""
        found = {id(item): item for entry in self.configured for item in entry.metadatas}
        return tuple(found.values())


def run_revisions(
    project: Project,
    destination: Callable[..., Any],
    observers: Sequence[Observer] = (),
    fallback: Callable[[], contextlib.AbstractContextManager[Any]] | None = None,
    as_sql: bool = False,
    **options: Any,
) -> EnvRun:
    """Run env.py with ``destination`` as what is to be done; all output goes to stderr.

    Args:
        project: whose env.py it is.
        destination: as ``fn`` of Alembic's EnvironmentContext: ``(revisions, context) -> steps``.
        observers: told about every step.
        fallback: gives an open SQLAlchemy connection for the run without env.py, where that does not import.
        as_sql: offline, with no connection at all.
        options: for EnvironmentContext (``destination_rev``, ``starting_rev``).

    Raises:
        PgPatternsError: env.py or a revision failed: which file and line, which statement, what the server said.
    """
    run = EnvRun()
    steps = _watched(destination, project.read)
    environment = _recording_environment(project, run, observers, steps, as_sql, options)
    try:
        with environment, sandboxed(), recorded(project.read, code=False):
            project.script.run_env()
    except (PgPatternsError, KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:
        if run.configured or fallback is None or isinstance(error, exc.SQLAlchemyError) or _is_broken(project, error):
            raise explained(error, project) from error
        run.own_environment = describe(error, project.script.dir) + _lacking_variable(error)
        _refuse_other_dialect(project, run.own_environment)
        _without_env_py(project, environment, fallback, error)
    return run


def run_to_heads(project: Project) -> EnvRun:
    """Run what is missing of the history, up to all heads. Raises as `run_revisions`."""
    return run_revisions(
        project, lambda revision, context: project.script._upgrade_revs("heads", revision), destination_rev="heads"
    )


def migration_step(project: Project, script: Script, up: bool, around: Callable[..., Any] | None = None) -> Any:
    """Alembic's step of one revision, up or down; ``around`` wraps its function."""
    from alembic.runtime.migration import MigrationStep

    make = MigrationStep.upgrade_from_script if up else MigrationStep.downgrade_from_script
    step = make(project.script.revision_map, script)
    if around is not None:
        step.migration_fn = around(step.migration_fn)
    return step


def _watched(destination: Callable[..., Any], read: set[str]) -> Callable[..., Any]:
    """The destination, with steps that note what their revisions read."""

    def steps(revision: Any, context: Any) -> list[Any]:
        found = list(destination(revision, context))
        for step in found:
            step.migration_fn = recorded(read, code=True)(step.migration_fn)
        return found

    return steps


def _is_broken(project: Project, error: BaseException) -> bool:
    """Whether env.py is no program at all, which no other environment would mend."""
    unreadable = isinstance(error, SyntaxError) and error.filename == str(project.env_py)
    return unreadable or not project.env_py.exists()


def _lacking_variable(error: BaseException) -> str:
    """What to do where env.py, or what it imports, asked `os.environ` for a variable that is not set."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    if not isinstance(error, KeyError) or not last or last[0].filename not in ("<frozen os>", os.__file__):
        return ""
    name = str(error.args[0])
    value = "{url}" if re.search("URL|DSN|URI", name.upper()) else "…"
    return f'. Set it, or let the settings give it: env = {{ {name} = "{value}" }} in [tool.alembic_pgpatterns].'


PLACEHOLDER = "driver"
"""In ``driver://user:pass@localhost/dbname``, which Alembic's template has where env.py finds the URL elsewhere."""


def _refuse_other_dialect(project: Project, cause: str) -> None:
    """Revisions for another database mean nothing on ours, and env.py may have failed for that database's driver."""
    try:
        url = make_url(project.config.get_main_option("sqlalchemy.url") or "postgresql://")
    except (configparser.Error, exc.ArgumentError, ValueError):
        return
    if url.get_backend_name() == PLACEHOLDER:
        raise PgPatternsError(cause)
    if url.get_backend_name() != "postgresql":
        raise PgPatternsError(
            f"{cause}\nsqlalchemy.url is {url.render_as_string(hide_password=True)}, which is not PostgreSQL. Way out: "
            "give the project a PostgreSQL URL for the check (any: it is redirected)."
        )


def _without_env_py(
    project: Project,
    environment: EnvironmentContext,
    connect: Callable[[], contextlib.AbstractContextManager[Any]],
    cause: BaseException,
) -> None:
    try:
        with environment, sandboxed(), connect() as connection:
            environment.configure(connection=connection, target_metadata=None)
            with environment.begin_transaction():
                environment.run_migrations()
    except (PgPatternsError, KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:
        raise PgPatternsError(
            f"{explained(error, project)}\nThe revisions ran without env.py, since that failed before: "
            f"{describe(cause, project.script.dir)}"
        ) from error


def _recording_environment(
    project: Project,
    run: EnvRun,
    observers: Sequence[Observer],
    destination: Callable[..., Any],
    as_sql: bool,
    options: Mapping[str, Any],
) -> EnvironmentContext:
    from alembic.runtime.environment import EnvironmentContext

    environment = EnvironmentContext(project.config, project.script, fn=destination, as_sql=as_sql, **options)
    stock = environment.configure

    def configure(*args: Any, **kwargs: Any) -> None:
        # env.py has set up logging by now; "Running upgrade ..." would break the progress line.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        if as_sql:
            kwargs.setdefault("output_buffer", io.StringIO())
        stock(*args, **kwargs)
        context = environment.get_context()
        entry = _configured(context)
        run.configured.append(entry)
        context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, _notify(entry, observers))
        for observer in observers:
            observer.configured(context)

    # On the instance: `alembic.context` stands for EnvironmentContext itself, and knows no subclass of it.
    environment.configure = configure  # type: ignore[method-assign]
    return environment


def _configured(context: MigrationContext) -> Configured:
    opts = context.opts
    metadata = opts.get("target_metadata")
    metadatas = tuple(metadata) if isinstance(metadata, (list, tuple)) else (metadata,) if metadata is not None else ()
    return Configured(
        options=opts,
        database=database_of(context),
        metadatas=metadatas,
        version_table=context.version_table,
        version_schema=context.version_table_schema,
        dialect=context.dialect,
    )


def database_of(context: MigrationContext) -> str:
    """The scratch database behind the context, as its driver knows it; asking the server would begin a transaction."""
    if context.as_sql or context.connection is None:
        return ""
    driven: Any = context.connection.connection.driver_connection
    if hasattr(driven, "info"):  # psycopg and psycopg2, synchronous or not
        return str(driven.info.dbname)
    return str(driven._params.database)  # asyncpg, whose connections have no public word


def _notify(entry: Configured, observers: Sequence[Observer]) -> Callable[..., None]:
    def notify(ctx: MigrationContext, step: Any, heads: set[str], run_args: dict[str, Any]) -> None:
        for revision in step.up_revision_ids if step.is_upgrade else step.down_revision_ids:
            entry.applied.append(revision)
        for observer in observers:
            observer.applied(ctx, step.up_revision_id, step.is_upgrade)

    return notify


@contextmanager
def environment_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the time of a run."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def explained(error: BaseException, project: Project) -> PgPatternsError:
    """The error of a run for people: the revision's or env.py's line, the statement, the server's message."""
    if isinstance(error, PgPatternsError):
        return error
    files = project.revision_files
    place = innermost(error, files) or lacking(error, files) or innermost(error, project.script.dir)
    if isinstance(error, exc.DBAPIError):
        where = f"{place}: " if place else ""
        statement = " ".join((error.statement or "").split())
        said = f"{where}{error.orig}".rstrip() + (f"\nStatement: {statement}" if statement else "")
        return PgPatternsError(said + _way_out(error.orig, statement))
    return PgPatternsError(described(error, place))


BLOCK = "Run it in an autocommit block: with op.get_context().autocommit_block(): …"
WAYS_OUT = {
    "25001": f"concurrent-in-transaction: {BLOCK}",
    "55P04": f"enum-value-used-at-once: a new value can be used once it is committed. {BLOCK}",
}
"""By SQLSTATE: what a pattern of revisions advises, where the revision cannot even run."""


def _way_out(error: BaseException | None, statement: str) -> str:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state == "0A000" and "CONCURRENTLY" in statement.upper():
        return "\nconcurrent-on-partitioned-parent: see alembic pgcheck --explain concurrent-on-partitioned-parent"
    return f"\n{WAYS_OUT[state]}" if state in WAYS_OUT else ""
