"""Bring a project to head on a server: with its env.py, with a command of its own, or from its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, explained, handlers, run_env, went, without_configure
from alembic_pgpatterns.controller.models import NO_MODELS, Models
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, prepare
from alembic_pgpatterns.controller.upgrade import Upgraded, is_at, upgrade
from alembic_pgpatterns.controller.upgrade_command import command_to_head
from alembic_pgpatterns.controller.version_tables import version_table, version_tables, versions
from alembic_pgpatterns.controller.ways import FoundWays, names_models, of_refusal
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.runner.messages import ConfiguredDatabase, CreateRequest, EnvResult, Steps
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True)
class Database:
    """A scratch database at head. ``label``: the name of the real database that it replaces.

    ``models``: of the project, as env.py names them for this database. ``real_parameters``: libpq's parameters of the
    real one, with the password; None if no connection to it was seen.
    """

    name: str
    label: str
    version_tables: tuple[Name, ...]
    models: Models = NO_MODELS
    blame_facts: BlameFacts | None = None
    real_parameters: Mapping[str, str] | None = field(default=None, repr=False)
    default_schema: str | None = None
    """Where tables without a schema are, in the session that env.py sets up; None: where the server's own puts them."""
    enforced: bool = False
    """Whether env.py names the plugin: then autogenerate compares with the effective metadata."""


UNNAMED = Skipped("models", "env.py names no target_metadata", expected=True)


@dataclass(frozen=True)
class AtHead:
    """A project at head.

    ``upgraded``: the run of env.py; None if something else ran the revisions. ``scratch``: the databases on the server.
    """

    databases: tuple[Database, ...]
    revisions: int
    heads: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    hints: tuple[str, ...] = ()
    upgraded: Upgraded | None = None
    scratch: Databases = field(default_factory=Databases)
    unnamed: Skipped = UNNAMED
    """What to say of a database without models."""


def upgrade_to_head(run: RunContext, start: Position = EMPTY, *, keep: bool = False) -> AtHead:
    """Upgrade the project to head: with its env.py, with a command of its own, or from its models.

    Args:
        run: the project, on a server that is at ``start``.
        start: the revisions that have run on it.
        keep: whether the cluster may be cached afterwards.

    Raises:
        PgPatternsError: a revision failed, or the revisions did not reach the server.
    """
    if run.settings.upgrade_command is not None:
        return _by_command(run, run.settings.upgrade_command)
    run.progress.say("reading the revisions")
    if run.settings.create_all or not run.project.revisions:
        return _by_models(run)
    return _by_env_py(run, upgrade(run, start, keep=keep))


def _by_env_py(run: RunContext, upgraded: Upgraded) -> AtHead:
    project, server, result = run.project, run.server, upgraded.result
    databases = [
        Database(
            name=item.database,
            label=_label(upgraded, item.database),
            version_tables=(_version_table(server, item),),
            models=Models(result.run, number, item.models, item.search_path, item.by_plugin),
            default_schema=item.default_schema,
            blame_facts=upgraded.position.blame[item.database],
            real_parameters=result.real_parameters.get(item.database),
            enforced=item.by_plugin,
        )
        for number, item in enumerate(result.configured)
        if is_at(project, server, item, project.heads)
    ]
    if not databases:
        raise PgPatternsError(_lost(upgraded.result))
    return AtHead(
        tuple(databases),
        len(project.revisions),
        project.heads,
        (*_failed_env_py(run, result), *_outside(project)),
        tuple(_opt_in(project, result)),
        upgraded,
        Databases(dict(upgraded.position.databases), upgraded.position.environment),
        _unnamed(result),
    )


def _version_table(server: Server, item: ConfiguredDatabase) -> Name:
    named = Name(item.version_schema or "", item.version_table)
    return (version_table(server, item.database, named) if not named.schema else None) or named


def _by_models(run: RunContext) -> AtHead:
    """No revision runs: the schema is created from the models, in an empty database."""
    project = run.project
    result = _configured(run)
    if not run.settings.create_all and (facts := project.request("revisions", handlers=handlers(run, Databases()))):
        project.replace_history(facts)  # env.py has said where they are
    count = sum(item.models for item in result.configured)
    if not count:
        problem = "--create-all needs models" if project.revisions else f"no revision is in {project.script.folder}"
        failed = f"env.py failed: {result.own_environment}\n" if result.own_environment is not None else ""
        raise PgPatternsError(
            f"{failed}There is nothing to check: {problem}, and env.py names no target_metadata. Name the models "
            'there, or in the settings: models = ["app.models:Base"]'
        )
    name = run.server.create_scratch(SCRATCH)
    prepare(run.settings, run.server, name)
    request = CreateRequest(result.run, run.server.by_socket(name), schemas=True)
    failure = project.request("create", request, handlers=handlers(run, Databases()))
    if failure is not None:
        ways = tuple(of_refusal(failure, run.settings)) if project.is_looking else ()
        if ways:
            raise FoundWays(ways)
        raise ProjectFailed(explained(failure, run.server))
    reason = "the schema was built from the models, not by the revisions from an empty database"
    models = Models(result.run, None, count)
    skipped = (Skipped("the history", reason, expected=True),) if project.revisions else ()
    return AtHead(
        (Database(name, "", (), models),),
        len(project.revisions),
        project.heads,
        skipped=(*_failed_env_py(run, result), *skipped),
    )


def _configured(run: RunContext) -> EnvResult:
    """env.py's models: its offline branch needs no database; not every env.py has one."""
    try:
        # An offline branch that calls context.configure() without models is no better than none.
        result = run_env(run, Steps(), Databases(), offline=True)
        if any(item.models for item in result.configured):
            return result
    except ProjectFailed:
        pass
    return run_env(run, Steps(), Databases())


def _by_command(run: RunContext, command: str) -> AtHead:
    """The project's own program runs the revisions. Here the revision files need not be readable."""
    settings, server = run.settings, run.server
    name = server.create_scratch(SCRATCH)
    prepare(settings, server, name)
    command_to_head(run, name)
    tables = version_tables(server, name)
    if not tables:
        variables = ", ".join(settings.env) or 'none; set for example env = { DATABASE_URL = "{url}" }'
        raise PgPatternsError(
            "The command ended without an error, but there is no version table of Alembic in the database that it was "
            f"given: {command}\nDoes it read the variables in `env`? They are: {variables}."
        )
    heads = tuple(sorted(row for table in tables for row in versions(server, name, table)))
    models, skipped = _beside_the_command(run, name)
    return AtHead(
        (Database(name, "", tables, models),),
        len(heads and _revisions(run)),
        heads,
        skipped,
        scratch=Databases(environment=name),
        unnamed=Skipped("models", "a command runs the revisions, so env.py was not read", expected=True),
    )


def _revisions(run: RunContext) -> tuple[object, ...]:
    try:
        return run.project.revisions
    except PgPatternsError:
        return ()


def _beside_the_command(run: RunContext, database: str) -> tuple[Models, tuple[Skipped, ...]]:
    """The models that the settings name: what a command does says nothing of them."""
    if not run.settings.models:
        return NO_MODELS, ()
    try:
        result = run_env(run, Steps(), Databases(environment=database), offline=True)
    except PgPatternsError as error:
        return NO_MODELS, (Skipped("models", str(error)),)
    return Models(result.run, None, sum(item.models for item in result.configured)), ()


def _label(upgraded: Upgraded, database: str) -> str:
    return next((origin.database for origin, name in upgraded.position.databases.items() if name == database), database)


OPT_IN = (
    'autogenerate_plugins=["alembic.autogenerate.*", '
    '*(["alembic_pgpatterns"] if find_spec("alembic_pgpatterns") else [])],'
)
"""The line for env.py. It works without our package too; Alembic itself would fail if a plugin is not installed."""


def _opt_in(project: Project, result: EnvResult) -> Iterator[str]:
    """How to name the plugin in env.py, if the project's autogenerate has models but does not use the plugin."""
    unaware = [item for item in result.configured if item.models and not item.by_plugin]
    if unaware and result.own_environment is None:
        yield (
            f"{relative(str(project.env_py.absolute()))} does not name the plugin, so autogenerate does not follow the "
            f"patterns. Add to context.configure(), with `from importlib.util import find_spec` above:\n    {OPT_IN}"
        )


def _outside(project: Project) -> Iterator[Skipped]:
    for folder in project.missing_folders():
        yield Skipped(folder, "version_locations names it, but there is no such folder")
    strangers = project.files_outside_history()
    if strangers:
        yield Skipped(
            f"{len(strangers)} files such as {strangers[0]}" if len(strangers) > 1 else strangers[0],
            "Alembic does not load what looks like a revision: see version_locations and recursive_version_locations",
            expected=True,
        )


def _failed_env_py(run: RunContext, result: EnvResult) -> Iterator[Skipped]:
    if any(item.models for item in result.configured):
        yield from without_env_py(result, decided=names_models(run.settings))


def without_env_py(result: EnvResult, *, decided: bool = False) -> Iterator[Skipped]:
    """That env.py failed, where there are models all the same; ``decided``: the user has named them in the settings.

    Models that nobody has named do not let the run pass: env.py may fail because of a mistake.
    """
    if result.own_environment is None:
        return
    failed = "it failed, so the revisions ran without it"
    if decided:
        yield Skipped("env.py", f"{failed}: {result.own_environment.splitlines()[0]}", expected=True)
        return
    yield Skipped("env.py", f"{failed}: {result.own_environment}\n{NOT_NEEDED}", broken=True)


NOT_NEEDED = (
    "Correct it. If only the project's own program can run it, name the models in the settings: models = "
    '["app.models:Base"]. Then the check passes without it.'
)


def _unnamed(result: EnvResult) -> Skipped:
    if result.own_environment is not None:
        reason = f"env.py failed, so the revisions ran without it, and the models are unknown: {result.own_environment}"
        return Skipped("models", reason, broken=True)
    return UNNAMED


def _lost(result: EnvResult) -> str:
    if not result.configured:
        return without_configure(result)
    return (
        "The revisions did not run on the throw-away server: its version table does not contain the heads. "
        f"Connections went to: {went(result)}. Does env.py call context.run_migrations() on a connection that it opens "
        "itself? If another program runs the revisions, use --upgrade-command."
    )
