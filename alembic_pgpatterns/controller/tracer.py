"""Revisions run one by one on a throw-away server of their own, under observation.

A server apart from the one that is read at head: what a downgrade loses does not change what the patterns see there.
Each revision runs in an environment run of its own, as a deployment would run it, so its schema is committed and can
be read from outside; its downgrade runs in a copy of the database, which is then thrown away.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy

from alembic_pgpatterns.controller.cache.snapshots import Snapshot
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.revision_tracer import RevisionTracer, State, read_state
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, open_server, prepare
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.report_model import Skipped
from alembic_pgpatterns.revisions.model import Downgrade, Environment, RevisionRun
from alembic_pgpatterns.revisions.observation import install
from alembic_pgpatterns.runner.project import innermost, relative
from alembic_pgpatterns.runner.run_env import Observer, environment_variables, migration_step, run_revisions
from alembic_pgpatterns.schema.difference import differences
from alembic_pgpatterns.schema.model import Location, Name
from alembic_pgpatterns.server.command import variables
from alembic_pgpatterns.server.real_database import RealDatabase
from alembic_pgpatterns.server.redirect import redirect

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script


MAKES_ROLES = "it makes or drops roles, which belong to the whole server"


@dataclass(frozen=True)
class TraceResult:
    """What the revisions in scope did, in each database.

    ``troubles``: why some of them could not be reached. ``unsettled``: revisions that may go another way next time.
    """

    runs: tuple[RevisionRun, ...] = ()
    environments: tuple[Environment, ...] = ()
    troubles: tuple[Skipped, ...] = ()
    unsettled: frozenset[str] = frozenset()

    @property
    def failed(self) -> bool:
        """Whether a revision failed, or was not reached."""
        return bool(self.troubles) or any(run.failure is not None for run in self.runs)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be looked at, and why."""
        found = [
            Skipped(f"revision {run.revision}", f"it fails when it runs by itself, after those before it: {line}")
            for run in self.runs
            if run.failure is not None
            for line in run.failure.splitlines()[:1]
        ]
        ways_back = ((run.revision, run.downgrade.skipped) for run in self.runs if run.downgrade is not None)
        found += [
            Skipped(f"the downgrade of {name}", reason, expected=reason == MAKES_ROLES)
            for name, reason in ways_back
            if reason is not None
        ]
        return (*self.troubles, *found)

    def settled(self) -> dict[str, tuple[RevisionRun, ...]]:
        """The runs by revision, of those that would go the same way again."""
        found: dict[str, tuple[RevisionRun, ...]] = {}
        for run in self.runs:
            if run.revision not in self.unsettled:
                found[run.revision] = (*found.get(run.revision, ()), run)
        return found


def trace(run: RunContext, scope: Sequence[Script], snapshot: Snapshot | None = None) -> TraceResult:
    """Run the revisions in scope under observation, and those between them without.

    Args:
        run: the project and its settings; a server is started for the trace.
        scope: the revisions, in order.
        snapshot: the state to start from. If that leads to a failure, the trace starts again from an empty server.

    Raises:
        PgPatternsError: no server could be started.
    """
    try:
        result = _trace(run, scope, snapshot)
    except PgPatternsError:
        if snapshot is None:
            raise
        return _trace(run, scope, None)
    return result if snapshot is None or not result.failed else _trace(run, scope, None)


def _trace(run: RunContext, scope: Sequence[Script], snapshot: Snapshot | None) -> TraceResult:
    folder, start = (snapshot.folder, snapshot.position) if snapshot is not None else (None, EMPTY)
    with open_server(run.settings, watched=True, snapshot=folder) as server:
        return Tracer(run.on(server), start).trace(scope)


@dataclass
class EnvironmentObserver:
    """An observer of one environment run: its databases, and what env.py had done before it called us."""

    env_py: Path
    environments: list[Environment] = field(default_factory=list)
    version_tables: list[Name] = field(default_factory=list)

    def configured(self, context: MigrationContext) -> None:
        """Another database."""
        self.environments.append(
            Environment(
                location=self._place(),
                transaction_per_migration=bool(context._transaction_per_migration),
                opened_transaction=bool(context._in_external_transaction),
            )
        )
        self.version_tables.append(Name(context.version_table_schema or "", context.version_table))

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """The recorder knows."""

    def _place(self) -> Location:
        frame = sys._getframe(1)
        while frame is not None:
            if Path(frame.f_code.co_filename).name == self.env_py.name:
                return Location(relative(frame.f_code.co_filename), frame.f_lineno)
            frame = frame.f_back  # type: ignore[assignment]
        return Location(relative(str(self.env_py)), 1)


class Tracer:
    """One trace of a project's history."""

    def __init__(self, run: RunContext, start: Position = EMPTY) -> None:
        """``run``: on a server that was opened for tracing, and is at ``start``."""
        assert run.server.log is not None
        self._project = run.project
        self._settings = run.settings
        self._server = run.server
        self._progress = run.progress
        self._monitor = run.server.connect()
        self._revision_tracer = RevisionTracer(run.project, run.server.log, self._monitor)
        self._start = start
        self._origins: dict[RealDatabase, str] = dict(start.databases)
        self._environment_database = start.environment
        self._version_tables: tuple[Name, ...] = ()
        self._states: dict[str, State] = {}
        self._waiting: list[Script] = []
        self._unsettled: set[str] = set()

    def trace(self, scope: Sequence[Script]) -> TraceResult:
        """All of it, in the history's order."""
        wanted = {script.revision for script in scope}
        last = max(n for n, script in enumerate(self._project.revisions) if script.revision in wanted)
        runs: list[RevisionRun] = []
        troubles: list[Skipped] = []
        with self._monitor:
            observer = self._begin()
            for number, script in enumerate(self._project.revisions[: last + 1]):
                if script.revision in self._start.revisions:
                    continue
                if script.revision not in wanted:
                    self._waiting.append(script)
                    continue
                trouble = self._plainly()
                passed = trouble is None and self._one(script, runs)
                self._progress.step(len(runs), len(wanted), script.revision)
                if trouble is not None:
                    troubles.append(trouble)
                if not passed and not self._together(self._project.revisions[: number + 1]):
                    break
        return TraceResult(tuple(runs), tuple(observer.environments), tuple(troubles), frozenset(self._unsettled))

    def _together(self, scripts: Sequence[Script]) -> bool:
        """Start anew, with everything so far in one run: a revision that fails alone may pass in company."""
        self.clear()
        self._begin()
        self._waiting = list(scripts)
        return self._plainly() is None

    def clear(self) -> None:
        """Drop the databases of the trace; the server goes on."""
        for name in dict.fromkeys(self._databases()):
            self._server.drop_database(name)
        self._origins.clear()
        self._states.clear()
        self._environment_database = None

    def _begin(self) -> EnvironmentObserver:
        """Nothing runs yet: env.py opens its connections, so that the databases are there."""
        for name in dict.fromkeys(self._databases()):
            self._install(name)
        if self._settings.env and self._environment_database is None:
            self._environment_database = self._server.create_scratch(SCRATCH)
            self._prepare(self._environment_database)
        observer = EnvironmentObserver(self._project.env_py)
        self._run(lambda script_heads, context: [], {}, (observer,))
        self._version_tables = tuple(dict.fromkeys(observer.version_tables))
        return observer

    def _prepare(self, database: str) -> None:
        prepare(self._settings, self._server, database)
        self._install(database)

    def _install(self, database: str) -> None:
        with self._server.connect(database) as connection:
            install(connection)

    def _plainly(self) -> Skipped | None:
        """Run the revisions before the next one in scope, which nobody looks at."""
        scripts, self._waiting = self._waiting, []
        if not scripts:
            return None
        self._progress.say("running the revisions before")
        self._states.clear()
        try:
            self._run(lambda heads, context: [self._step(script, up=True) for script in scripts], {})
        except PgPatternsError as error:
            return Skipped("revisions", f"not traced: {_first_line(error)}")
        return None

    def _one(self, script: Script, runs: list[RevisionRun]) -> bool:
        for name in dict.fromkeys(self._databases()):
            self._states.setdefault(name, self._state(name))
        step = self._revision_tracer.watched(script, lambda steps: self._run(steps, {}))
        for name in step.windows:
            before, self._states[name] = self._states[name], self._state(name)
            run = self._revision_tracer.facts(script, step, name, before, self._states[name])
            if self._settings.downgrade and step.failure is None:
                run = replace(run, downgrade=self._downgrade(script, run, name))
            runs.append(run)
        # What PostgreSQL says to a statement that it cannot run is the same each time; all else may be the machine's.
        if step.failure is not None and not isinstance(step.failure.__cause__, sqlalchemy.exc.ProgrammingError):
            self._unsettled.add(script.revision)
        return step.failure is None

    def _databases(self) -> list[str]:
        own = [self._environment_database] if self._environment_database is not None else []
        return [*self._origins.values(), *own]

    def _step(self, script: Script, up: bool) -> Any:
        return migration_step(self._project, script, up)

    def _state(self, database: str) -> State:
        return read_state(self._server, database, self._version_tables)

    def _downgrade(self, script: Script, run: RevisionRun, database: str) -> Downgrade:
        if any(statement.changes_roles for statement in run.statements):
            return Downgrade(skipped=MAKES_ROLES)
        try:
            copy = self._copy(database)
        except psycopg.Error as error:
            self._unsettled.add(script.revision)
            return Downgrade(skipped=f"the database could not be copied: {_first_line(error)}")
        moved = {origin: copy if name == database else name for origin, name in self._origins.items()}
        try:
            return self._there_and_back(script, run, copy, moved)
        finally:
            self._server.drop_database(copy)

    def _there_and_back(
        self, script: Script, run: RevisionRun, copy: str, moved: Mapping[RealDatabase, str]
    ) -> Downgrade:
        try:
            self._run(lambda heads, context: [self._step(script, up=False)], moved, database=copy)
        except PgPatternsError as error:
            self._doubt(error, script)
            return self._failed(error, script)
        different = tuple(map(str, differences(run.before, self._state(copy).schema)))
        try:
            self._run(lambda heads, context: [self._step(script, up=True)], moved, database=copy)
        except PgPatternsError as error:
            self._doubt(error, script)
            return Downgrade(differences=different, again=str(error))
        return Downgrade(differences=different)

    def _doubt(self, error: PgPatternsError, script: Script) -> None:
        """A full disk, or a server that is gone, says nothing of the revision."""
        if isinstance(error.__cause__, sqlalchemy.exc.OperationalError) or self._server.failure() is not None:
            self._unsettled.add(script.revision)

    def _failed(self, error: PgPatternsError, script: Script) -> Downgrade:
        cause = error.__cause__ or error
        place = innermost(cause, frozenset({str(Path(script.path).absolute())}))
        if place is not None and not isinstance(cause, sqlalchemy.exc.SQLAlchemyError):
            lines = Path(script.path).read_text("utf-8", "replace").splitlines()
            if lines[place.line - 1].lstrip().startswith("raise"):
                return Downgrade(declared=True)
        return Downgrade(failure=str(error), location=place)

    def _copy(self, database: str) -> str:
        """A copy of a database, once everybody has left it: PostgreSQL copies none that is in use."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        deadline = time.monotonic() + 5
        while self._monitor.execute(query, (database,)).fetchall() and time.monotonic() < deadline:
            time.sleep(0.002)
        return self._server.create_database(f"{SCRATCH}_copy", template=database)

    def _run(
        self,
        destination: Callable[..., Any],
        moved: Mapping[RealDatabase, str],
        observers: Sequence[Observer] = (),
        database: str | None = None,
    ) -> None:
        """One run of env.py; ``moved``: databases that take the place of others in it."""
        # A redirect of its own for each run: connections that a pool kept from the one before are replaced.
        with self._variables(database), redirect(self._server, prepare=self._prepare) as routes:
            routes.databases.update(moved or self._origins)
            run_revisions(
                self._project, destination, observers, fallback=lambda: self._alone(database), destination_rev="heads"
            )
            if not moved:
                self._origins.update(routes.databases)

    @contextmanager
    def _variables(self, database: str | None) -> Iterator[None]:
        values: Mapping[str, str] = {}
        if self._environment_database is not None:
            values = variables(self._settings.env, self._server, database or self._environment_database)
        with environment_variables(values):
            yield

    @contextmanager
    def _alone(self, database: str | None) -> Iterator[Any]:
        """A connection for the run without env.py."""
        if self._environment_database is None:
            self._environment_database = self._server.create_scratch(SCRATCH)
            self._prepare(self._environment_database)
        url = self._server.url(database or self._environment_database)
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            yield connection


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
