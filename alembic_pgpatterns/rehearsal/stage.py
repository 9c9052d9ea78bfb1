"""The place of a rehearsal: a server with the project's databases, where the project's env.py runs its revisions.

This module is the only one of the room that knows how a revision is run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, ProjectRunFailed, demand_env_py, run_env
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.controller.scratch_databases import SCRATCH
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.model import StatementTime
from alembic_pgpatterns.rehearsal.watch import Watch
from alembic_pgpatterns.revisions.recorder import Site
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.model import Location

GRACE = 5.0
"""Seconds after the end of the time in which the project's code may end by itself."""


@dataclass(frozen=True)
class RunOutcome:
    """One revision, run one way. ``failure``: why it failed, at ``place``."""

    statements: tuple[StatementTime, ...]
    seconds: float
    place: Location
    failure: ProjectFailed | None = None


@dataclass
class Stage:
    """``databases``: scratch ones instead of the project's, at the revisions ``done``. ``watch``: the limits.

    ``copies``: the databases that exist besides. ``carried``: databases with rows that are as old as the revisions
    ``carried_at``, in place of those without rows.
    """

    run: RunContext
    watch: Watch
    databases: Databases = field(default_factory=Databases)
    done: set[str] = field(default_factory=set)
    copies: list[str] = field(default_factory=list)
    carried: dict[str, str] = field(default_factory=dict)
    carried_at: frozenset[str] = frozenset()

    def advance(self, revisions: frozenset[str]) -> None:
        """Run those of these revisions that are missing.

        If one fails, all of them run again from nothing, in one run of env.py: what fails by itself may pass in
        company.

        Raises:
            PgPatternsError: one fails in company, too.
        """
        try:
            self._advance(revisions)
        except PgPatternsError:
            if not self.done:
                raise
            for name in self.names:
                self.run.server.drop_database(name)
            self.databases, self.done = Databases(), set()
            self._advance(revisions)
        if self.carried_at != self.done:
            self.carry({}, frozenset())

    def _advance(self, revisions: frozenset[str]) -> None:
        missing = self.run.project.in_order(revisions - self.done)
        demand_env_py(run_env(self.run, Steps("missing", missing), self.databases), self.run.settings)
        self.done |= revisions

    def carry(self, filled: Mapping[str, str], revisions: frozenset[str]) -> None:
        """Keep copies of filled databases for the next revision.

        Args:
            filled: the filled one for each database; none: nothing is kept.
            revisions: those that have run there.
        """
        for name in self.carried.values():
            self.run.server.drop_database(name)
        self.carried, self.carried_at = {}, revisions
        for number, (name, original) in enumerate(filled.items()):
            self._alone(original)
            wish = f"{SCRATCH}_old_{number}_{name}"
            self.carried[name] = self.run.server.create_database(wish[:60], template=original)

    def step(self, revision: Revision, up: bool, line: int, copies: Mapping[str, str]) -> RunOutcome:
        """Run one revision in copies of the databases.

        Args:
            revision: the revision.
            up: its upgrade, else its downgrade.
            line: where that function begins.
            copies: the copy that takes the place of each database.

        Raises:
            LimitReached: the time or the disk is used up. The revision has been ended.
        """
        steps = Steps("up" if up else "down", (revision.revision,))
        # The watch ends connections, which ends a statement; this limit ends code that runs none.
        self.run.project.limit(self.watch.budget.left + GRACE)
        with self.watch.over(self.everything, end=True):
            began, failure = time.perf_counter(), None
            try:
                result = run_env(self.run, steps, self.databases, moved=copies, clock=True)
            except ProjectRunFailed as error:
                result, failure = error.result, error
            except ProjectFailed:
                self.watch.check()
                raise
            seconds = time.perf_counter() - began
        calls = result.recording.calls if result.recording is not None else ()
        places = [_location(call.site, revision, line) for call in calls]
        statements = tuple(
            StatementTime(place, call.milliseconds / 1000, call.rows, " ".join(call.text.split()))
            for place, call in zip(places, calls, strict=True)
        )
        last = places[-1] if places else _location(None, revision, line)
        return RunOutcome(statements, seconds, last, failure)

    @property
    def names(self) -> tuple[str, ...]:
        """The databases."""
        return self.databases.names

    def everything(self) -> tuple[str, ...]:
        """The databases and their copies."""
        return (*self.names, *self.copies, *self.carried.values())

    @contextmanager
    def copied(self, originals: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
        """Copies of all databases, which are dropped afterwards.

        Args:
            originals: what is copied in place of each database.
        """
        copies: dict[str, str] = {}
        try:
            for number, name in enumerate(self.names):
                original = (originals or {}).get(name, name)
                self._alone(original)
                # PostgreSQL cuts names off after 63 bytes; the throw-away server finds a free one.
                wish = f"{SCRATCH}_{name}_{number}_{len(originals or {})}"
                copies[name] = self.run.server.create_database(wish[:60], template=original)
                self.copies.append(copies[name])
            yield copies
        finally:
            for name in copies.values():
                self.run.server.drop_database(name)
                self.copies.remove(name)

    def _alone(self, database: str) -> None:
        """Disconnect everybody: PostgreSQL does not copy a database with a connection."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + 5
        with self.run.server.connect() as connection:
            # pg_terminate_backend() only sends a signal: the sessions need a moment to end.
            while connection.execute(query, (database,)).fetchall() and time.monotonic() < deadline:
                time.sleep(0.002)


def _location(site: Site | None, revision: Revision, line: int) -> Location:
    """The line of a statement; that of the function if no event has one."""
    if site is None:
        return Location(relative(revision.path), line)
    return Location(relative(site.path), site.line)
