"""A project's head schema on a scratch database, with the models beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.report_model import Skipped
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.runner.blame import Introduced
from alembic_pgpatterns.runner.bring_to_head import Arrived, Database, arrive
from alembic_pgpatterns.runner.cache.history import HistoryCache
from alembic_pgpatterns.runner.cache.snapshots import NOWHERE, Snapshot, forget
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.scratch_databases import Progress, on_server, open_server
from alembic_pgpatterns.runner.target_metadata import read_models
from alembic_pgpatterns.runner.upgrade import Upgraded, goes_on, upgrade
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.overlay import overlay
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer


@dataclass(frozen=True)
class Head:
    """What there is to judge while the server still runs.

    ``schemas``, ``models``, ``databases``, ``labels`` and ``introduced`` run side by side: one entry a database; the
    label is empty where there is only one database.
    """

    schemas: tuple[Schema, ...]
    models: tuple[Schema | None, ...]
    databases: tuple[Database, ...]
    labels: tuple[str, ...]
    introduced: tuple[Introduced | None, ...]
    heads: tuple[str, ...]
    facts: Mapping[str, object]
    server: Server
    skipped: tuple[Skipped, ...] = ()
    hints: tuple[str, ...] = ()

    def revision(self, finding: Finding, number: int) -> str | None:
        """The revision that introduced what the finding of schema ``number`` is about."""
        known = self.introduced[number]
        return known.revision(finding) if known is not None else None


@contextmanager
def bring_to_head(
    project: Project,
    settings: Settings,
    progress: Progress,
    cache: HistoryCache | None = None,
    milestone: frozenset[str] = frozenset(),
) -> Iterator[Head]:
    """The project at head on a server of ours, read into schemas; the server is gone afterwards.

    Args:
        project: the project.
        settings: of it.
        progress: told what goes on.
        cache: what earlier runs left, and where this one leaves its own; None: the history runs from nothing.
        milestone: revisions after which the state is kept too, since somebody will go on from there.

    Raises:
        PgPatternsError: no server, a revision that fails, revisions that did not arrive; each with the way out.
    """
    progress.say("starting PostgreSQL")
    with contextlib.ExitStack() as stack:
        server, arrived = _arrived(stack, project, settings, progress, cache, milestone)
        progress.say("reading the schema")
        yield _head(arrived, settings, server)
        if cache is not None:
            _leave(project, settings, progress, cache, server, arrived.upgraded)


def _arrived(
    stack: contextlib.ExitStack,
    project: Project,
    settings: Settings,
    progress: Progress,
    cache: HistoryCache | None,
    milestone: frozenset[str],
) -> tuple[Server, Arrived]:
    """The project at head: from a kept state, and where that leads nowhere, from nothing.

    An error is only told of a run from nothing, which owes nothing to what was kept.
    """
    if cache is not None:
        start = cache.find(script.revision for script in project.revisions)
        if not cache.proven:
            milestone = frozenset()  # an env.py that cannot run twice would not arrive, be it from nothing
        alone = start is None and not milestone
        with contextlib.ExitStack() as attempt:
            server, start = _opened(attempt, settings, start)
            try:
                arrived = _going_on(project, settings, server, progress, start, cache, milestone)
            except PgPatternsError:
                if alone:
                    raise
                arrived = None
            if arrived is not None:
                stack.push(attempt.pop_all())
                return server, arrived
        progress.say("starting PostgreSQL anew")
    server = stack.enter_context(open_server(settings))
    return server, _noted(cache, arrive(project, settings, server, progress, keep=cache is not None))


def _noted(cache: HistoryCache | None, arrived: Arrived) -> Arrived:
    """The same, once the cache knows how env.py has set itself up."""
    if cache is not None and arrived.upgraded is not None:
        cache.arrived(arrived.upgraded.reached.sessions)
    return arrived


def _opened(
    stack: contextlib.ExitStack, settings: Settings, start: Snapshot | None, watched: bool = False
) -> tuple[Server, Snapshot | None]:
    """A server at a kept state; an empty one where that cannot be begun with, and is thrown away then."""
    if start is not None:
        try:
            return stack.enter_context(open_server(settings, watched, start)), start
        except PgPatternsError:
            forget(start.folder)
    return stack.enter_context(open_server(settings, watched)), None


def _going_on(
    project: Project,
    settings: Settings,
    server: Server,
    progress: Progress,
    start: Snapshot | None,
    cache: HistoryCache,
    milestone: frozenset[str],
) -> Arrived | None:
    """The project at head, from a kept state, with a stop at the milestone; None: that did not lead there."""
    reached = start.reached if start is not None else NOWHERE
    if reached.revisions < milestone:
        done = upgrade(project, settings, server, progress, reached, project.heads_of(milestone), keep=True)
        if not (done.whole and done.apart):
            return None
        _leave(project, settings, progress, cache, server, done, resume=True)
        reached = done.reached
    try:
        arrived = arrive(project, settings, server, progress, reached, keep=True)
    except PgPatternsError:
        if reached is NOWHERE:
            raise
        return None
    whole = arrived.upgraded is not None and arrived.upgraded.whole
    return _noted(cache, arrived) if whole or reached is NOWHERE else None


@contextmanager
def standing(
    project: Project, settings: Settings, progress: Progress, names: Iterable[str], watched: bool = False
) -> Iterator[Server]:
    """A server to which the project's connections lead in here; revisions have run there if they run at all.

    Args:
        project: the project.
        settings: of it.
        progress: told what goes on.
        names: of the revisions, with all they come from. Where they fail, the server is an empty one: whoever runs
            them then is told why.
        watched: as for `open_server`.
    """
    wanted = frozenset(names)
    cache = HistoryCache.open(project, settings) if wanted else None
    progress.say("starting PostgreSQL")
    with contextlib.ExitStack() as stack:
        reached, server = NOWHERE, None
        if cache is not None:
            with contextlib.ExitStack() as attempt, contextlib.suppress(PgPatternsError):
                tried, start = _opened(attempt, settings, cache.find(wanted), watched)
                known = start.reached if start is not None else NOWHERE
                progress.say("running the revisions")
                done = upgrade(project, settings, tried, progress, known, project.heads_of(wanted), keep=True)
                if done.whole:
                    _leave(project, settings, progress, cache, tried, done, resume=True)
                    reached, server = done.reached, tried
                    stack.push(attempt.pop_all())
        if server is None:
            server = stack.enter_context(open_server(settings, watched))
        stack.enter_context(on_server(settings, server, reached.databases, reached.environment))
        yield server


WORTH_KEEPING = 0.5
"""Seconds of revisions from which on a copy of their state pays: it takes a third of a second, and some 40 MB."""


def _leave(
    project: Project,
    settings: Settings,
    progress: Progress,
    cache: HistoryCache,
    server: Server,
    done: Upgraded | None,
    *,
    resume: bool = False,
) -> None:
    """Keep the state where that pays, and where the next run would come to the same from there as from nothing."""
    if done is None or done.seconds <= WORTH_KEEPING or not isinstance(server, ThrowawayServer):
        return
    if done.whole and done.apart and goes_on(project, settings, server, progress, done.reached):
        cache.keep(server, done.reached, resume=resume)


def _head(arrived: Arrived, settings: Settings, server: Server) -> Head:
    schemas: list[Schema] = []
    introduced: list[Introduced | None] = []
    known_models: list[Schema | None] = []
    skipped = list(arrived.skipped)
    for database in arrived.databases:
        with server.connect(database.name) as connection:
            schema = catalog.read(connection, version_tables=database.version_tables)
            known = database.introductions
            introduced.append(known.resolve(connection) if known is not None else None)
        models = read_models(database.metadatas, schema.default_schema, settings, database.dialect)
        if all(item.what != "models" for item in arrived.skipped):  # else the reason is known, and it is another one
            skipped += models.skipped
        known_models.append(models.schema)
        schemas.append(enriched(schema, models.schema))
    several = len(arrived.databases) > 1
    return Head(
        schemas=tuple(schemas),
        models=tuple(known_models),
        databases=arrived.databases,
        labels=tuple(database.label if several else "" for database in arrived.databases),
        introduced=tuple(introduced),
        heads=arrived.heads,
        facts=_facts(arrived, schemas, server),
        server=server,
        skipped=tuple(dict.fromkeys(skipped)),
        hints=arrived.hints,
    )


def enriched(schema: Schema, models: Schema | None) -> Schema:
    """A database's schema with what only the models know laid over it."""
    return overlay(schema, models) if models is not None else schema


def _facts(arrived: Arrived, schemas: list[Schema], server: Server) -> dict[str, object]:
    return {
        "revisions": arrived.revisions,
        "tables": sum(len(schema.tables) for schema in schemas),
        "server": f"PostgreSQL {server.version // 10000}.{server.version % 10000} ({server.source})",
    }
