"""One upgrade by the project's env.py, from an empty server or from a cached state."""

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

from alembic_pgpatterns.controller.blame import BlameFacts
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.scratch_databases import engine_connection, on_server, scratch_databases
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.digest import digest
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.run_env import Configured, EnvRun, database_of, migration_step, run_revisions
from alembic_pgpatterns.runner.session_state import leaves_more, session, session_digest
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.redirect import Routes

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_ADDS_VALUE = re.compile(r"\bADD\s+VALUE\b", re.IGNORECASE)


@dataclass(frozen=True)
class Upgraded:
    """The result of an upgrade. ``routes``: where connections went. ``seconds``: how long the revisions took.

    ``complete``: env.py ran as it does for the project, and every database reached the target. ``separable``: the
    revisions left nothing in their session, nor outside the databases, so that the next ones may run in another one.
    """

    run: EnvRun
    position: Position
    routes: Routes
    complete: bool
    separable: bool
    seconds: float = 0.0


class UpgradeObserver:
    """Observes an upgrade: notes what came with which revision in each database, and reports progress."""

    def __init__(self, run: RunContext, start: Position, heads: tuple[str, ...], ask: bool) -> None:
        """``ask``: note too how sessions are set up, and what the last revisions, ``heads``, leave in them."""
        self._run = run
        self._start = start
        self._heads = heads
        self._ask = ask
        self._session = ""
        self._count = 0
        self._current = BlameFacts()
        self.blame: dict[str, BlameFacts] = {}
        self.sessions: dict[str, str] = {}
        self.leaves_more = False
        self.seconds = 0.0
        self._since = time.monotonic()

    def configured(self, context: MigrationContext) -> None:
        """Note another database."""
        name = database_of(context)
        if self._ask:
            # One database may have several sessions, such as one per tenant.
            state = session(context)
            self.sessions[name] = digest([self.sessions.get(name), state]) if state else ""
            self._session = session_digest(context)
        known = self._start.blame.get(name) or BlameFacts()
        self._current = self.blame.setdefault(name, deepcopy(known))
        self._count = len(self._start.revisions)
        self._since = time.monotonic()

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """Note another revision."""
        self._count += 1
        self._run.progress.step(self._count, len(self._run.project.revisions), revision)
        self._current.applied(context, revision, is_upgrade)
        if self._ask and revision in self._heads:
            self.leaves_more |= session_digest(context) != self._session or leaves_more(context, self._adds_values)
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now

    @cached_property
    def _adds_values(self) -> bool:
        files = map(Path, self._run.project.revision_files)
        return any(_ADDS_VALUE.search(path.read_text("utf-8", "replace")) for path in files)


def upgrade(
    run: RunContext, start: Position = EMPTY, heads: tuple[str, ...] | None = None, *, keep: bool = False
) -> Upgraded:
    """Run the missing revisions.

    Args:
        run: the project, on a server that is at ``start``.
        start: what has run.
        heads: where to stop; None for the project's heads.
        keep: whether the cluster may be cached afterwards.

    Raises:
        PgPatternsError: env.py or a revision failed.
    """
    project, server = run.project, run.server
    target = heads if heads is not None else project.heads
    order = project.in_order(project.ancestors(target))
    observer = UpgradeObserver(run, start, target, ask=keep)
    with on_server(run.settings, server, start.databases, start.environment) as routes:
        result = run_revisions(
            project,
            lambda revision, context: _steps(project, order if keep else None, revision),
            observers=(observer,),
            fallback=lambda: engine_connection(run.settings, server),
            destination_rev="heads",
        )
    position = Position(
        order=order,
        databases=dict(routes.databases),
        environment=routes.environment,
        blame=observer.blame,
        sessions=observer.sessions if result.own_environment is None else {},
    )
    at_target = result.configured and all(is_at(project, server, entry, target) for entry in result.configured)
    complete = keep and at_target and result.own_environment is None and _same_setup(start, position)
    separable = keep and not observer.leaves_more and scratch_databases(server) <= position.names
    return Upgraded(result, position, routes, bool(complete), separable, observer.seconds)


def resumes_alike(run: RunContext, position: Position) -> bool:
    """Whether env.py, run again when everything is done, finds the same databases and sets itself up as before.

    It does not if it creates something that exists by then, connects elsewhere each time, or cannot run twice; nor if
    revisions changed what holds for all sessions (ALTER DATABASE SET).
    """
    with contextlib.suppress(PgPatternsError):
        return upgrade(run, position, run.project.heads_of(position.revisions), keep=True).complete
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


def _same_setup(start: Position, position: Position) -> bool:
    """Whether env.py used the existing databases, and set up its sessions as when they were created."""
    if not start.revisions:
        return all(position.sessions.values())
    return position.sessions == start.sessions and position.names == start.names


def is_at(project: Project, server: Server, entry: Configured, heads: tuple[str, ...]) -> bool:
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
