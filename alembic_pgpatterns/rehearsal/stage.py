"""Where a rehearsal takes place: a server, the project's databases on it, and its revisions run there by its env.py.

This module is the only one of the room that knows how a revision is run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, engine_connection, on_server
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.model import StatementTime
from alembic_pgpatterns.revisions.recorder import Recorder
from alembic_pgpatterns.runner.project import relative
from alembic_pgpatterns.runner.run_env import migration_step, run_revisions
from alembic_pgpatterns.schema.model import Location
from alembic_pgpatterns.server.real_database import RealDatabase

if TYPE_CHECKING:
    from alembic.script import Script

NOWHERE = Path("/dev/null")


class StatementClock(Recorder):
    """Times the statements of a revision and counts the rows they change; it needs no log of the server."""

    def __init__(self, files: frozenset[str], fallback: Location) -> None:
        super().__init__(files, NOWHERE, lambda pid: {})
        self._fallback = fallback
        self._texts: list[str] = []
        self._rows: list[int | None] = []

    def _before(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        super()._before(connection, cursor, statement, parameters, context, executemany)
        if self.active:
            self._texts.append(statement)
            self._rows.append(None)

    def _after(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        super()._after(connection, cursor, statement, parameters, context, executemany)
        if self.active and self._rows:
            count = getattr(cursor, "rowcount", -1)
            # A SELECT has a description; what is no DML has no count.
            changes = cursor.description is None and count is not None and count >= 0
            self._rows[-1] = count if changes else None

    @property
    def place(self) -> Location:
        """Where the last statement is written."""
        return self._location(self.calls[-1].site) if self.calls else self._fallback

    def statements(self) -> tuple[StatementTime, ...]:
        """All statements in order."""
        return tuple(
            StatementTime(self._location(call.site), call.milliseconds / 1000, rows, " ".join(text.split()))
            for call, text, rows in zip(self.calls, self._texts, self._rows, strict=True)
        )

    def _location(self, site: Any) -> Location:
        if site is None:
            return self._fallback
        return Location(relative(str(Path(site.path).absolute())), site.line)


@dataclass(frozen=True)
class RunOutcome:
    """One revision, run one way. ``failure``: why it failed, at ``place``."""

    statements: tuple[StatementTime, ...]
    seconds: float
    place: Location
    failure: PgPatternsError | None = None


@dataclass
class Stage:
    """``databases``: what stands for the project's real ones, at the revisions ``done``."""

    run: RunContext
    databases: dict[RealDatabase, str] = field(default_factory=dict)
    environment: str | None = None
    done: set[str] = field(default_factory=set)

    def advance(self, revisions: frozenset[str]) -> None:
        """Run what is missing of these revisions, and of all they come from.

        Raises:
            PgPatternsError: one fails.
        """
        missing = [s for s in self.run.project.revisions if s.revision in revisions - self.done]
        project = self.run.project
        with self._connected(self.databases, self.environment) as routes:
            run_revisions(
                project,
                lambda heads, context: [migration_step(project, script, up=True) for script in missing],
                fallback=lambda: engine_connection(self.run.settings, self.run.server),
                destination_rev="heads",
            )
            self.databases.update(routes.databases)
            self.environment = routes.environment
        self.done |= revisions

    def step(self, script: Script, up: bool, line: int, copies: Mapping[str, str]) -> RunOutcome:
        """Run one revision in copies of the databases.

        Args:
            script: the revision.
            up: its upgrade, else its downgrade.
            line: where that function begins.
            copies: the copy that takes the place of each database.
        """
        project = self.run.project
        fallback = Location(relative(str(Path(script.path).absolute())), line)
        clock = StatementClock(project.revision_files, fallback)
        databases = {real: copies.get(name, name) for real, name in self.databases.items()}
        environment = copies.get(self.environment, self.environment) if self.environment else None

        def around(function: Callable[..., Any]) -> Callable[..., Any]:
            def recorded(**keywords: Any) -> None:
                with clock.recording():
                    function(**keywords)

            return recorded

        began, failure = time.perf_counter(), None
        with self._connected(databases, environment), clock.listening():
            try:
                run_revisions(
                    project,
                    lambda heads, context: [migration_step(project, script, up=up, around=around)],
                    destination_rev="heads",
                )
            except PgPatternsError as error:
                failure = error
        return RunOutcome(clock.statements(), time.perf_counter() - began, clock.place, failure)

    @property
    def names(self) -> tuple[str, ...]:
        """The databases."""
        own = (self.environment,) if self.environment is not None else ()
        return tuple(dict.fromkeys((*self.databases.values(), *own)))

    @contextmanager
    def copied(self, originals: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
        """Copies of all databases, gone afterwards.

        Args:
            originals: what is copied in place of each database.
        """
        copies: dict[str, str] = {}
        try:
            for number, name in enumerate(self.names):
                original = (originals or {}).get(name, name)
                self._alone(original)
                wish = f"{SCRATCH}_{name}_{number}_{len(originals or {})}"
                copies[name] = self.run.server.create_database(wish[:60], template=original)
            yield copies
        finally:
            for name in copies.values():
                self.run.server.drop_database(name)

    def _alone(self, database: str) -> None:
        """PostgreSQL copies no database that somebody is connected to."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + 5
        with self.run.server.connect() as connection:
            while connection.execute(query, (database,)).fetchall() and time.monotonic() < deadline:
                time.sleep(0.002)

    @contextmanager
    def _connected(self, databases: Mapping[RealDatabase, str], environment: str | None) -> Iterator[Any]:
        with on_server(self.run.settings, self.run.server, databases, environment) as routes:
            yield routes
