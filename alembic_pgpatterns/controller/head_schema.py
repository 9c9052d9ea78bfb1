"""A project's schema at head on a scratch database, together with its models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from alembic_pgpatterns.controller.blame import Blame, resolve
from alembic_pgpatterns.controller.bring_to_head import AtHead, Database, upgrade_to_head, without_env_py
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.cache.snapshots import Snapshot, forget
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases
from alembic_pgpatterns.controller.models import NO_MODELS, NO_TABLE, ModelSchema, read_models
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.scratch_databases import open_server
from alembic_pgpatterns.controller.upgrade import Upgraded, resumes_alike, upgrade
from alembic_pgpatterns.controller.ways import names_models
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer


@dataclass(frozen=True)
class CachedRun(RunContext):
    """A run with the cache of its project's history; None if nothing is kept."""

    cache: HistoryCache | None = None


@dataclass(frozen=True)
class DatabaseAtHead:
    """One database of the project at head.

    ``schema``: read from the server, with the facts of the models added. ``models``: the models alone; None if there
    are none or they cannot be read. ``label``: the database's name for messages; empty if there is only one.
    ``blame``: which revision created which object; None if that is not known.
    """

    database: Database
    schema: Schema
    models: Schema | None = None
    label: str = ""
    blame: Blame | None = None


@dataclass(frozen=True)
class Head:
    """Everything to check while the server still runs."""

    databases: tuple[DatabaseAtHead, ...]
    heads: tuple[str, ...]
    facts: Mapping[str, object]
    server: Server
    skipped: tuple[Skipped, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunAt:
    """A run on a server at some revisions, and its scratch databases."""

    run: CachedRun
    databases: Databases

    def of(self, project: Project) -> RunAt:
        """The same for the project as it is now, after its files have changed."""
        return replace(self, run=replace(self.run, project=project))


@contextmanager
def bring_to_head(run: CachedRun, milestone: frozenset[str] = frozenset()) -> Iterator[Head]:
    """Start a server, upgrade it to head and read its schemas. Afterwards the server is stopped and deleted.

    Args:
        run: the project and its settings; without a cache, the history runs from scratch.
        milestone: revisions after which the cluster is cached too, because a later step continues from there.

    Raises:
        PgPatternsError: no server, a failing revision, or revisions that ran elsewhere; the message says what to do.
    """
    run.progress.say("starting PostgreSQL")
    with contextlib.ExitStack() as stack:
        run, result = _at_head(stack, run, milestone)
        run.progress.say("reading the schema")
        yield _head(run, result)
        _cache_state(run, result.upgraded)


def _at_head(stack: contextlib.ExitStack, run: CachedRun, milestone: frozenset[str]) -> tuple[CachedRun, AtHead]:
    """Upgrade to head from a snapshot if one fits, otherwise from an empty server.

    An error counts only if it also happens on an empty server: then no snapshot can be the cause.
    """
    if run.cache is not None:
        start = run.cache.find(script.revision for script in run.project.revisions)
        if not run.cache.proven:
            milestone = frozenset()  # an env.py that cannot run twice would fail at the second stop
        plain = start is None and not milestone
        with contextlib.ExitStack() as attempt:
            resumed, start = _open(attempt, run, start)
            try:
                result = _resume(resumed, start, milestone)
            except PgPatternsError:
                if plain:
                    raise
                result = None
            if result is not None:
                stack.push(attempt.pop_all())
                return resumed, result
        run.progress.say("starting PostgreSQL again, empty")
    run = run.on(stack.enter_context(open_server(run.settings)))
    return run, _note_sessions(run.cache, upgrade_to_head(run, keep=run.cache is not None))


def _note_sessions(cache: HistoryCache | None, result: AtHead) -> AtHead:
    """Tell the cache how env.py sets up its sessions."""
    if cache is not None and result.upgraded is not None:
        cache.note_sessions(result.upgraded.position.sessions)
    return result


def _open(
    stack: contextlib.ExitStack, run: CachedRun, start: Snapshot | None, watched: bool = False
) -> tuple[CachedRun, Snapshot | None]:
    """Start a server on a snapshot. If that fails, delete the snapshot and start an empty server."""
    if start is not None:
        try:
            return run.on(stack.enter_context(open_server(run.settings, watched, start.folder))), start
        except PgPatternsError:
            forget(start.folder)
    return run.on(stack.enter_context(open_server(run.settings, watched))), None


def _resume(run: CachedRun, start: Snapshot | None, milestone: frozenset[str]) -> AtHead | None:
    """Upgrade to head from a snapshot, with a stop at the milestone; None if that did not reach head."""
    position = start.position if start is not None else EMPTY
    if position.revisions < milestone:
        upgraded = upgrade(run, position, run.project.heads_of(milestone), keep=True)
        if not (upgraded.complete and upgraded.separable):
            return None
        _cache_state(run, upgraded, resume=True)
        position = upgraded.position
    try:
        result = upgrade_to_head(run, position, keep=True)
    except PgPatternsError:
        if position is EMPTY:
            raise
        return None
    complete = result.upgraded is not None and result.upgraded.complete
    return _note_sessions(run.cache, result) if complete or position is EMPTY else None


@contextmanager
def server_at(run: CachedRun, revisions: Iterable[str], *, watched: bool = False) -> Iterator[RunAt]:
    """Start a server at some revisions.

    Args:
        run: the project and its settings.
        revisions: identifiers; all their ancestors are run too. If they fail, the server is empty; whoever runs them
            again gets the error.
        watched: as for `open_server`.

    Raises:
        PgPatternsError: no server could be started.
    """
    target = frozenset(revisions)
    run = replace(run, cache=HistoryCache.open(run.project, run.settings) if target else None)
    run.progress.say("starting PostgreSQL")
    with contextlib.ExitStack() as stack:
        at = _at(stack, run, target, watched) if run.cache is not None else None
        if at is None:
            at = RunAt(run.on(stack.enter_context(open_server(run.settings, watched))), Databases())
        yield at


def _at(stack: contextlib.ExitStack, run: CachedRun, target: frozenset[str], watched: bool) -> RunAt | None:
    """The run at its revisions, from a snapshot if one fits; None if they fail."""
    assert run.cache is not None
    with contextlib.ExitStack() as attempt, contextlib.suppress(PgPatternsError):
        tried, start = _open(attempt, run, run.cache.find(target), watched)
        before = start.position if start is not None else EMPTY
        run.progress.say("running the revisions")
        upgraded = upgrade(tried, before, run.project.heads_of(target), keep=True)
        if upgraded.complete:
            _cache_state(tried, upgraded, resume=True)
            stack.push(attempt.pop_all())
            return RunAt(tried, _databases(upgraded.position))
    return None


def _databases(position: Position) -> Databases:
    return Databases(dict(position.databases), position.environment)


WORTH_CACHING = 0.5
"""Seconds: if the revisions take longer, a copy of the cluster is cached, which takes about 0.3 s and 40 MB."""


def _cache_state(run: CachedRun, upgraded: Upgraded | None, *, resume: bool = False) -> None:
    """Cache the cluster if that saves time and a run resumed from it gives the same result as one from scratch."""
    if run.cache is None or upgraded is None or upgraded.seconds <= WORTH_CACHING:
        return
    if not (isinstance(run.server, ThrowawayServer) and upgraded.complete and upgraded.separable):
        return
    if resumes_alike(run, upgraded.position):
        run.cache.keep(run.server, upgraded.position, resume=resume)


def _head(run: CachedRun, result: AtHead) -> Head:
    # What reads a schema is imported by now, while env.py ran; see `Project.load_while_waiting`.
    from alembic_pgpatterns.schema.catalog import reader as catalog
    from alembic_pgpatterns.schema.catalog.seeds import with_seeds

    skipped = list(result.skipped)
    databases = []
    several = len(result.databases) > 1
    for database in result.databases:
        with run.server.connect(database.name) as connection:
            schema = catalog.read(
                connection, default_schema=database.default_schema, version_tables=database.version_tables
            )
            schema = with_seeds(schema, connection)
            blame = resolve(database.blame_facts, connection) if database.blame_facts is not None else None
        database, models = _models(run, result, database, schema)
        skipped += models.skipped
        label = database.label if several else ""
        databases.append(DatabaseAtHead(database, enriched(schema, models.schema), models.schema, label, blame))
    return Head(
        databases=tuple(databases),
        heads=result.heads,
        facts=_facts(result, databases, run.server),
        server=run.server,
        skipped=tuple(dict.fromkeys(skipped)),
        hints=result.hints,
    )


def _models(run: RunContext, result: AtHead, database: Database, schema: Schema) -> tuple[Database, ModelSchema]:
    """The models of a database: those that env.py or the settings name, else those that the project's files have."""
    if not database.models.count:
        return _found_models(run, result, database, schema, result.unnamed)
    models = read_models(run, database.models, schema.default_schema)
    # An env.py that imports a base alone: the application would have imported its models.
    if NO_TABLE in models.skipped and not names_models(run.settings):
        return _found_models(run, result, database, schema, NO_TABLE)
    return database, models


def _found_models(
    run: RunContext, result: AtHead, database: Database, schema: Schema, lack: Skipped
) -> tuple[Database, ModelSchema]:
    """The models that the project's files have; without any, what env.py lacks."""
    from alembic_pgpatterns.controller.found_models import NAME_THEM, find_models, models_at_head  # rarely needed

    failed_first = result.upgraded is not None and result.upgraded.result.own_environment is not None
    if failed_first and (late := models_at_head(run, result.scratch, database.name)).count:
        models = read_models(run, late, schema.default_schema)
        return replace(database, models=late), replace(models, skipped=(LATE, *models.skipped))
    search = find_models(run, result.scratch, database.models.number or 0, [table.name for table in schema.tables])
    if not search.models.count:
        # What env.py lacks is said already, with the settings that give it.
        is_said = lack.broken and search.problem == NAME_THEM
        return database, ModelSchema(None, (lack if is_said else _with(search.problem, lack),))
    database = replace(database, models=search.models)
    models = read_models(run, database.models, schema.default_schema)
    if models.schema is not None and not _fit(models.schema, schema):
        run.project.ways = [way for way in run.project.ways if way != search.way]
        problem = "most tables of the models that were found are not in the database"
        return replace(database, models=NO_MODELS), ModelSchema(None, (_with(problem, lack),))
    failed = without_env_py(result.upgraded.result) if result.upgraded is not None else ()
    return database, replace(models, skipped=(*failed, *models.skipped))


LATE = Skipped("env.py", "it needs the tables that the revisions make, so these ran without it", expected=True)


def _with(problem: str, lack: Skipped) -> Skipped:
    """What is lacking and what else is wrong, before the lines of settings with which the reason may end."""
    first, *lines = lack.reason.split("\n")
    return replace(lack, reason="\n".join([f"{first}; {problem}", *lines]))


def _fit(models: Schema, head: Schema) -> bool:
    """Whether models that were found by the names in files are those of a database: it has half of their tables."""
    present = sum(head.table(table.name) is not None for table in models.tables)
    return 2 * present >= len(models.tables)


def enriched(schema: Schema, models: Schema | None) -> Schema:
    """A database's schema with the facts that only the models know."""
    from alembic_pgpatterns.schema.overlay import overlay

    return overlay(schema, models) if models is not None else schema


def _facts(result: AtHead, databases: Iterable[DatabaseAtHead], server: Server) -> dict[str, object]:
    return {
        "revisions": result.revisions,
        "tables": sum(len(database.schema.tables) for database in databases),
        "server": f"PostgreSQL {server.version // 10000}.{server.version % 10000} ({server.source})",
    }
