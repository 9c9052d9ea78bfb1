"""One upgrade by the project's env.py, from wherever a server stands: from nothing, or from a kept state."""

from __future__ import annotations

import contextlib
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy

from alembic_pgpatterns.cache.session import session, watched
from alembic_pgpatterns.cache.snapshots import Reached
from alembic_pgpatterns.project import Project
from alembic_pgpatterns.revisions.introduced import Introductions
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.scratch import Progress, engine_connection, on_server
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.redirect import Routes
from alembic_pgpatterns.settings import Settings
from alembic_pgpatterns.upgrade import Configured, Run, database_of, run_revisions

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


@dataclass(frozen=True)
class Upgraded:
    """Where an upgrade led, and how long its revisions took, in seconds.

    ``read``: files that they opened. ``routes``: where connections went.

    ``whole``: env.py ran as it does for the project, and every database arrived: the state may be gone on from.
    """

    run: Run
    reached: Reached
    read: frozenset[str]
    routes: Routes
    whole: bool
    seconds: float = 0.0


class Watch:
    """Observes a run: what came with which revision, in each database; and tells how far it is."""

    def __init__(self, progress: Progress, total: int, start: Reached, ask: bool) -> None:
        self._progress = progress
        self._total = total
        self._start = start
        self._ask = ask
        self._done = 0
        self._current = Introductions()
        self.introductions: dict[str, Introductions] = {}
        self.sessions: dict[str, str] = {}
        self.seconds = 0.0
        self._since = time.monotonic()

    def configured(self, context: MigrationContext) -> None:
        """Another database."""
        name = database_of(context)
        if self._ask:
            self.sessions[name] = session(context)
        known = self._start.introductions.get(name) or Introductions()
        self._current = self.introductions.setdefault(name, deepcopy(known))
        self._done = len(self._start.revisions)
        self._since = time.monotonic()

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """Another revision."""
        self._done += 1
        self._progress.step(self._done, self._total, revision)
        self._current.applied(context, revision, is_upgrade)
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now


def upgrade(
    project: Project,
    settings: Settings,
    server: Server,
    progress: Progress,
    start: Reached,
    heads: tuple[str, ...] | None = None,
    keep: bool = False,
) -> Upgraded:
    """Run what is missing of the history, up to some revisions or all.

    Args:
        project: whose history it is.
        settings: of the project.
        server: which stands at ``start``.
        progress: told about each revision.
        start: what has run.
        heads: where to stop; None: at the project's heads.
        keep: whether the state is to be gone on from later.

    Raises:
        PgPatternsError: env.py or a revision failed.
    """
    watch = Watch(progress, len(project.revisions), start, ask=keep)
    read: set[str] = set()
    target: Any = heads if heads is not None else "heads"
    with on_server(settings, server, start.databases, start.environment) as routes:
        run = run_revisions(
            project,
            lambda revision, context: watched(project.script._upgrade_revs(target, revision), read),
            observers=(watch,),
            fallback=lambda: engine_connection(settings, server),
            destination_rev="heads",
        )
    wanted = heads if heads is not None else project.heads
    reached = Reached(
        revisions=frozenset(project.ancestors(wanted)),
        databases=dict(routes.databases),
        environment=routes.environment,
        introductions=watch.introductions,
        sessions=watch.sessions,
    )
    arrived = run.configured and all(at(project, server, entry, wanted) for entry in run.configured)
    whole = keep and arrived and run.own_environment is None and _goes_on(start, reached)
    return Upgraded(run, reached, frozenset(read), routes, bool(whole), watch.seconds)


def _goes_on(start: Reached, reached: Reached) -> bool:
    """Whether env.py used the databases that were there, and set its sessions up as when they were made."""
    if not start.revisions:
        return all(reached.sessions.values())
    return reached.sessions == start.sessions and reached.names == start.names


def at(project: Project, server: Server, entry: Configured, heads: tuple[str, ...]) -> bool:
    """Whether the version table in our server says that these revisions were reached."""
    table = Name(entry.version_schema or "", entry.version_table)
    reached = versions(server, entry.database, table) if entry.database else ()
    return bool(reached) and set(heads) <= project.ancestors(reached)


def versions(server: Server, database: str, table: Name) -> tuple[str, ...]:
    """What a version table says; empty where there is none."""
    name = sqlalchemy.table(table.name, sqlalchemy.column("version_num"), schema=table.schema or None)
    engine = sqlalchemy.create_engine(server.url(database), poolclass=sqlalchemy.NullPool)
    with contextlib.suppress(sqlalchemy.exc.ProgrammingError), engine.connect() as connection:
        return tuple(connection.execute(sqlalchemy.select(name.c.version_num)).scalars())
    return ()
