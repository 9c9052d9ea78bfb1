"""A project's head schema on a scratch database, with the models beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from alembic_pgpatterns.arrival import Arrived, Database, Progress, arrive
from alembic_pgpatterns.models import read_models
from alembic_pgpatterns.pattern import Finding
from alembic_pgpatterns.project import Project
from alembic_pgpatterns.result import Skipped
from alembic_pgpatterns.revisions import serverlog
from alembic_pgpatterns.revisions.introduced import Introduced
from alembic_pgpatterns.schema import catalog
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.overlay import overlay
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.external import external_server
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import throwaway_server
from alembic_pgpatterns.settings import Settings


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
def bring_to_head(project: Project, settings: Settings, progress: Progress) -> Iterator[Head]:
    """The project at head on a server of ours, read into schemas; the server is gone afterwards.

    Raises:
        PgPatternsError: no server, a revision that fails, revisions that did not arrive; each with the way out.
    """
    progress.say("starting PostgreSQL")
    with open_server(settings) as server:
        arrived = arrive(project, settings, server, progress)
        progress.say("reading the schema")
        yield _head(arrived, settings, server)


@contextmanager
def open_server(settings: Settings, watched: bool = False) -> Iterator[Server]:
    """The server of the settings: the one the user named, else a throw-away one.

    ``watched``: a throw-away one writes into its log what revisions do.
    """
    if settings.server is not None:
        with external_server(settings.server, roles=settings.roles) as external:
            yield external
        return
    binaries = find_binaries(settings.path(settings.postgres) if settings.postgres else None)
    # A command is any program: many can only do TCP.
    listen = settings.upgrade_command is not None
    log = serverlog.SETTINGS if watched else None
    with throwaway_server(binaries, roles=settings.roles, settings=log, listen=listen) as server:
        yield server


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
