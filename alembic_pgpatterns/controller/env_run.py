"""One run of the project's env.py on a server: serve the process's questions until it ends, and return the result."""

from __future__ import annotations

import configparser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy

from alembic_pgpatterns.config import location
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, prepare
from alembic_pgpatterns.controller.ways import (
    FoundWays,
    meant_tables,
    names_models,
    of_mode,
    of_old_revision,
    ways_of,
)
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.processes.channel import Parent
from alembic_pgpatterns.revisions.commands import parse
from alembic_pgpatterns.revisions.kept_log import with_log
from alembic_pgpatterns.revisions.observation import held
from alembic_pgpatterns.revisions.outgoing import without_connecting
from alembic_pgpatterns.runner.messages import EnvRequest, EnvResult, Failure, Route, Steps, Supplies
from alembic_pgpatterns.runner.script_directory import ProjectScripts
from alembic_pgpatterns.schema.parsed import SqlParser
from alembic_pgpatterns.schema.sql import sqltext
from alembic_pgpatterns.server.command import named_locally, variables
from alembic_pgpatterns.server.explain import explain
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.real_database import RealDatabase

# The project's process names the method, so only these can be called.
_PARSERS = tuple(name for name in vars(SqlParser) if not name.startswith("_"))


@dataclass
class Databases:
    """The scratch databases of a server. ``by_origin``: by real database. ``environment``: that of the variables."""

    by_origin: dict[RealDatabase, str] = field(default_factory=dict)
    environment: str | None = None
    ready: Callable[[str], None] = lambda database: None
    """What else to do in a new database, after the file of the setting ``prepare``."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, each once."""
        for_variables = [self.environment] if self.environment is not None else []
        return tuple(dict.fromkeys([*self.by_origin.values(), *for_variables]))


class ProjectRunFailed(ProjectFailed):
    """A run of env.py failed. ``result``: what it did before."""

    def __init__(self, failure: Failure, result: EnvResult) -> None:
        """Take what happened."""
        super().__init__(failure)
        self.result = result


class NothingRan(PgPatternsError):
    """env.py did not do its part, so what a command says of the revisions would be about something else."""


def demand_env_py(result: EnvResult, settings: Settings) -> None:
    """Raise NothingRan unless env.py ran to its end and set up a migration.

    Args:
        result: of the run.
        settings: where they name the models, env.py may fail.
    """
    if result.own_environment is not None and not names_models(settings):
        raise NothingRan(f"env.py failed: {result.own_environment}")
    if not result.configured:
        raise NothingRan(without_configure(result))


def without_configure(result: EnvResult) -> str:
    """What to say of an env.py that set up nothing."""
    return f"env.py ended without calling context.configure(), so no revision ran. Connections went to: {went(result)}."


def went(result: EnvResult) -> str:
    """Where the connections of a run led, for messages."""
    inside = ", ".join(str(origin) for origin, _ in result.databases) or "nowhere"
    return f"{inside}; and to {', '.join(dict.fromkeys(result.elsewhere))}" if result.elsewhere else inside


def run_env(
    run: RunContext,
    steps: Steps,
    databases: Databases,
    *,
    moved: Mapping[str, str] | None = None,
    last: tuple[str, ...] = (),
    monitor: Any = None,
    offline: bool = False,
    clock: bool = False,
) -> EnvResult:
    """Run env.py once. Every connection that it opens leads to the server.

    Args:
        run: the project, on a server.
        steps: the revisions to run.
        databases: the existing ones; new ones are added.
        moved: by name, databases that are used instead of others; then none is added.
        last: revisions after which the session is examined for what they leave in it.
        monitor: a connection that nothing else uses, for a recorded run; None for a run without recording.
        offline: as with ``alembic upgrade --sql``.
        clock: record how long statements take, without the server's log.

    Raises:
        ProjectRunFailed: env.py or a revision failed: with file and line, statement, and the server's message.
        ProjectFailed: the project's process ended, or took too long.
        HistoryChanged: the revisions differ from what was read from their files.
    """
    moved = moved or {}
    if (run.settings.env or run.settings.alembic_options) and databases.environment is None:
        databases.environment = new_database(run, databases)
    request = EnvRequest(
        steps=steps,
        server=_route(run.server),
        databases=tuple((origin, moved.get(name, name)) for origin, name in databases.by_origin.items()),
        aliases=tuple((origin, moved.get(name, name)) for origin, name in _aliases(run, databases).items()),
        variables=_filled(run, databases, moved, run.settings.env),
        history=run.project.history.facts,
        last=last,
        log=str(run.server.log) if monitor is not None and run.server.log is not None else None,
        offline=offline,
        clock=clock,
        supplies=supplies(run, databases, moved),
    )
    result: EnvResult = run.project.request("env", request, handlers=handlers(run, databases, monitor, moved))
    # In a run on a copy the names are those of the copy, which is dropped afterwards.
    if not moved:
        databases.by_origin.update(dict(result.databases))
    return _checked(run, result, is_plain=monitor is None and not moved)


def _aliases(run: RunContext, databases: Databases) -> dict[RealDatabase, str]:
    """The scratch database of the variables, for a program that reads only the first part of ``{url}``."""
    name = databases.environment
    return {named_locally(run.server, name): name} if name is not None else {}


def _checked(run: RunContext, result: EnvResult, is_plain: bool) -> EnvResult:
    """The result, if it is one."""
    if result.history is not None:
        run.project.replace_history(result.history)
    if is_plain:
        _look_for_ways(run, result)
    if result.failure is not None:
        failure = explained(result.failure, run.server)
        raise ProjectRunFailed(_with_meant(_with_heads(failure, run.project.heads), result), result)
    return result


DUPLICATES = ("42P07", "42710", "42701", "42P06")
"""By SQLSTATE: a table, an object, a column or a schema that is there already."""


def _with_heads(failure: Failure, heads: tuple[str, ...]) -> Failure:
    """The failure; with a word about heads of which a database has only one, where two of them make the same."""
    if failure.sqlstate not in DUPLICATES or len(heads) < 2:
        return failure
    words = (
        f"The history has {len(heads)} heads ({', '.join(heads)}), and all of them run in one database, as with "
        "`alembic upgrade heads`. If a database has only one of them, put the others' files into a folder that "
        "version_locations does not name for the check."
    )
    return replace(failure, message=f"{failure.message}\n{words}")


def _with_meant(failure: Failure, result: EnvResult) -> Failure:
    """The failure; with the name that was meant, for a table that neither the history nor the models have."""
    similar_names = meant_tables(result, failure).items()
    lines = [f"Did you mean {similar}? The models have no table {name}." for name, similar in similar_names]
    return replace(failure, message="\n".join([failure.message, *lines]))


def handlers(
    run: RunContext, databases: Databases, monitor: Any = None, moved: Mapping[str, str] | None = None
) -> dict[str, Callable[..., Any]]:
    """Answers to what the project's process may report and ask while its code runs on the server."""
    server = run.server

    def ready(database: str) -> None:
        prepare(run.settings, server, database)
        databases.ready(database)

    def without_env_py() -> str:
        if databases.environment is None:
            databases.environment = new_database(run, databases)
        return (moved or {}).get(databases.environment, databases.environment)

    return {
        "create": server.create_scratch,
        "welcome": server.welcome,
        "prepare": ready,
        "owns": server.owns,
        "statement": lambda sql, in_transaction: with_log(
            without_connecting(sql, in_transaction=in_transaction, fenced=server.is_fenced)
        ),
        "locks": lambda pid: held(monitor, pid),
        "parse": parse_sql,
        "without env.py": lambda cause: refusal_without_env_py(run, cause),
        "database without env.py": without_env_py,
        "running": lambda path, revision="": run.progress.running(revision) if revision else None,
    }


def parse_sql(name: str, text: str) -> Any:
    """The parser's answer about a piece of SQL, for the reader of models."""
    if name not in _PARSERS:
        raise PgPatternsError(f"{name!r} is not a method of the SQL parser.")
    return getattr(sqltext, name)(text)


def new_database(run: RunContext, databases: Databases) -> str:
    """A scratch database that replaces no particular database of the project."""
    name = run.server.create_scratch(SCRATCH)
    prepare(run.settings, run.server, name)
    databases.ready(name)
    return name


def _route(server: Server) -> dict[str, str]:
    return {name: value for name, value in server.by_socket().items() if name != "dbname"}


def _look_for_ways(run: RunContext, result: EnvResult) -> None:
    """Leave what is being done, if env.py failed and there is something to try.

    Raises:
        FoundWays: there is.
    """
    failed = result.failure is not None or result.own_environment is not None or not result.configured
    if failed and run.project.is_looking and run.settings.upgrade_command is None:
        folder, tried = Path(run.project.script.folder), run.project.ways
        all_ways = tuple(ways_of(result, run.settings, run.server, folder, tried))
        all_ways = all_ways or tuple(of_mode(result, run.settings, tried))
        if not all_ways and result.failure is not None:
            all_ways = tuple(of_old_revision(result, run.settings, _pending(run, result)))
            if all_ways and run.project.tries_all:
                # Where the models cannot be created either, the revision is what people have to know of.
                run.project.first_failure = ProjectFailed(explained(result.failure, run.server))
        run.project.has_models = any(item.models for item in result.configured)
        ways = tuple(way for way in all_ways if way.automatic or run.project.tries_all)
        if ways:
            raise FoundWays(ways)
        run.project.untried = all_ways


def _pending(run: RunContext, result: EnvResult) -> int:
    """How many revisions have not run, of those that the project has."""
    applied = [revision for item in result.configured for revision in item.applied]
    done = run.project.ancestors(applied)
    return sum(item.revision not in done for item in run.project.revisions)


def _filled(
    run: RunContext, databases: Databases, moved: Mapping[str, str], templates: Mapping[str, str]
) -> Mapping[str, str]:
    if databases.environment is None:
        return {}
    name = moved.get(databases.environment, databases.environment)
    return variables(templates, run.server, name)


def supplies(run: RunContext, databases: Databases, moved: Mapping[str, str]) -> Supplies:
    """What the settings give env.py."""
    settings = run.settings
    options = _filled(run, databases, moved, settings.alembic_options)
    return Supplies(
        options={name: value for name, value in options.items() if name != location.OPTION},
        attributes=settings.attributes,
        replace_sqlite=settings.replace_sqlite,
        models=settings.models,
        advanced_alchemy=settings.advanced_alchemy,
        flask_app=settings.flask_app,
        own_environment=BY_COMMAND if settings.upgrade_command is not None else None,
        stores_computed=settings.stores_computed,
    )


BY_COMMAND = "a command of the project's runs them"
"""Why the revisions are traced without env.py where the settings have an ``upgrade_command``."""


PLACEHOLDER = "driver"
"""From ``driver://user:pass@localhost/dbname`` in Alembic's template: env.py gets the real URL elsewhere."""


def refusal_without_env_py(run: RunContext, cause: str) -> str | None:
    """Why the revisions may not run without env.py: they are for another kind of database, or None if they may."""
    config = run.project.config
    try:
        # Not get_main_option(): without an ini file it raises CommandError (Alembic, Config.get_section_option).
        options = config.get_section(config.config_ini_section, {})
        url = sqlalchemy.make_url(options.get("sqlalchemy.url") or "postgresql://")
    except (configparser.Error, sqlalchemy.exc.ArgumentError, ValueError):
        return None
    if url.get_backend_name() == PLACEHOLDER:
        return cause
    if url.get_backend_name() == "postgresql":
        return None
    return (
        f"{cause}\nsqlalchemy.url is {url.render_as_string(hide_password=True)}, which is not PostgreSQL. Way out: "
        "give the project a PostgreSQL URL for the check (any URL: it is redirected)."
    )


BLOCK = "Run it in an autocommit block: with op.get_context().autocommit_block(): …"
WAYS_OUT = {
    "25001": f"concurrent-in-transaction: {BLOCK}",
    "55P04": f"enum-value-used-at-once: a new value can only be used after a commit. {BLOCK}",
}
"""By SQLSTATE: the advice of a pattern about revisions, if the revision cannot even run."""


def explained(failure: Failure, server: Server | None) -> Failure:
    """The failure with advice, as far as the statement or the server allows any."""
    lines = [failure.message, *_ways_out(failure)]
    if server is not None:
        reason = server.failure() or explain(Exception("\n".join(failure.texts)), server)
        lines += [reason] if reason is not None else []
    return replace(failure, message="\n".join(lines))


def _ways_out(failure: Failure) -> list[str]:
    if failure.sqlstate in WAYS_OUT:
        return [WAYS_OUT[failure.sqlstate]]
    if failure.sqlstate == "0A000" and _is_concurrent(failure.statement):
        return ["concurrent-on-partitioned-parent: see alembic pgcheck --explain concurrent-on-partitioned-parent"]
    return []


def _is_concurrent(statement: str) -> bool:
    return any(command.concurrently for command in parse(statement))


def perform(run: RunContext, databases: Databases, task: Callable[[ProjectScripts, Parent, Route], Any]) -> Any:
    """Do a task in a new process of the project, with every connection redirected to the server.

    Args:
        run: the project, on a server.
        databases: those that exist there.
        task: takes the scripts, the parent, and where connections lead; see `runner.task`.

    Raises:
        ProjectFailed: it failed, its process ended, or it took too long.
    """
    if (run.settings.env or run.settings.alembic_options) and databases.environment is None:
        databases.environment = new_database(run, databases)
    values = _filled(run, databases, {}, run.settings.env)
    supplied = supplies(run, databases, {})
    origins = _aliases(run, databases) | databases.by_origin
    route = Route(_route(run.server), tuple(origins.items()), values, supplied)
    try:
        return run.project.perform(
            lambda scripts, parent: task(scripts, parent, route), handlers=handlers(run, databases)
        )
    except ProjectFailed as error:
        raise ProjectFailed(explained(error.failure, run.server)) from error
