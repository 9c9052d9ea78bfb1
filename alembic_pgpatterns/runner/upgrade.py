"""One upgrade by the project's env.py, from wherever a server stands: from nothing, or from a kept state."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.blame import Introductions
from alembic_pgpatterns.runner.cache.contents import digest
from alembic_pgpatterns.runner.cache.snapshots import Reached, scratch_databases
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.run_env import Configured, Run, database_of, migration_step, run_revisions
from alembic_pgpatterns.runner.scratch_databases import Progress, engine_connection, on_server
from alembic_pgpatterns.runner.session_state import leaves_more, session, standing
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.redirect import Routes

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_ADDS_VALUE = re.compile(r"\bADD\s+VALUE\b", re.IGNORECASE)


@dataclass(frozen=True)
class Upgraded:
    """Where an upgrade led, and how long its revisions took, in seconds.

    ``routes``: where connections went.

    ``whole``: env.py ran as it does for the project, and every database arrived. ``apart``: revisions left nothing in
    their session, nor beside the databases, so that what follows may as well run apart from them.
    """

    run: Run
    reached: Reached
    routes: Routes
    whole: bool
    apart: bool
    seconds: float = 0.0


class Watch:
    """Observes a run: what came with which revision, in each database; and tells how far it is."""

    def __init__(self, progress: Progress, project: Project, start: Reached, heads: tuple[str, ...], ask: bool) -> None:
        """``ask``: also how sessions are set up, and what the last revisions, which are ``heads``, leave in them."""
        self._progress = progress
        self._project = project
        self._start = start
        self._heads = heads
        self._ask = ask
        self._standing = ""
        self._done = 0
        self._current = Introductions()
        self.introductions: dict[str, Introductions] = {}
        self.sessions: dict[str, str] = {}
        self.leaves_more = False
        self.seconds = 0.0
        self._since = time.monotonic()

    def configured(self, context: MigrationContext) -> None:
        """Another database."""
        name = database_of(context)
        if self._ask:
            # One database may have several, such as one for each tenant.
            self.sessions[name] = digest([self.sessions.get(name), own]) if (own := session(context)) else ""
            self._standing = standing(context)
        known = self._start.introductions.get(name) or Introductions()
        self._current = self.introductions.setdefault(name, deepcopy(known))
        self._done = len(self._start.revisions)
        self._since = time.monotonic()

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """Another revision."""
        self._done += 1
        self._progress.step(self._done, len(self._project.revisions), revision)
        self._current.applied(context, revision, is_upgrade)
        if self._ask and revision in self._heads:
            self.leaves_more |= standing(context) != self._standing or leaves_more(context, self._adds_values)
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now

    @cached_property
    def _adds_values(self) -> bool:
        files = map(Path, self._project.revision_files)
        return any(_ADDS_VALUE.search(path.read_text("utf-8", "replace")) for path in files)


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
    wanted = heads if heads is not None else project.heads
    order = project.in_order(project.ancestors(wanted))
    watch = Watch(progress, project, start, wanted, ask=keep)
    with on_server(settings, server, start.databases, start.environment) as routes:
        run = run_revisions(
            project,
            lambda revision, context: _steps(project, order if keep else None, revision),
            observers=(watch,),
            fallback=lambda: engine_connection(settings, server),
            destination_rev="heads",
        )
    reached = Reached(
        order=order,
        databases=dict(routes.databases),
        environment=routes.environment,
        introductions=watch.introductions,
        sessions=watch.sessions if run.own_environment is None else {},
    )
    arrived = run.configured and all(at(project, server, entry, wanted) for entry in run.configured)
    whole = keep and arrived and run.own_environment is None and _goes_on(start, reached)
    apart = keep and not watch.leaves_more and scratch_databases(server) <= reached.names
    return Upgraded(run, reached, routes, bool(whole), apart, watch.seconds)


def goes_on(project: Project, settings: Settings, server: Server, progress: Progress, reached: Reached) -> bool:
    """Whether env.py, run once more where all is done, finds the same databases and sets itself up as before.

    It does not where it makes something that is there by then, where it connects elsewhere each time, where it cannot
    run twice, and where revisions changed what holds for all sessions (ALTER DATABASE SET).
    """
    with contextlib.suppress(PgPatternsError):
        heads = project.heads_of(reached.revisions)
        return upgrade(project, settings, server, progress, reached, heads, keep=True).whole
    return False


def _steps(project: Project, order: Sequence[str] | None, revision: Any) -> list[Any]:
    """What is missing, in the order in which it would run from nothing: Alembic's depends on where it begins.

    ``order``: None for all that there is, by Alembic itself.
    """
    if order is None or (not revision and len(order) == len(project.revisions)):
        return list(project.script._upgrade_revs("heads", revision))
    done = project.ancestors(revision)
    scripts = (project.script.get_revision(name) for name in order if name not in done)
    return [migration_step(project, script, up=True) for script in scripts]


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
