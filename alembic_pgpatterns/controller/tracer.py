"""Run revisions one by one on a throw-away server of their own, and record what they do.

It is not the server that is read at head, so data lost by a downgrade does not affect what the patterns see there. Each
revision runs in its own run of env.py, as in a deployment, so its schema is committed and other connections can read
it. Its downgrade runs in a copy of the database, which is dropped afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.controller.cache.snapshots import Snapshot
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, new_database, run_env
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.controller.revision_tracer import RevisionTracer, State, Step, read_state
from alembic_pgpatterns.controller.rewind import WAY_OUT, rewind
from alembic_pgpatterns.controller.scratch_databases import SCRATCH, open_server
from alembic_pgpatterns.controller.upgrade_command import command_up_to, copied, demand_stop
from alembic_pgpatterns.controller.version_tables import version_tables
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.revisions.model import Downgrade, Environment, RevisionRun
from alembic_pgpatterns.revisions.observation import install
from alembic_pgpatterns.runner.messages import ConfiguredDatabase, EnvResult, Steps
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.catalog.difference import differences
from alembic_pgpatterns.schema.model import Location, Name
from alembic_pgpatterns.server.command import takes_revision

MAKES_ROLES = "it creates or drops roles, which belong to the whole server"
NO_DOWNGRADE = "the file has no downgrade(), so nothing was undone"
UPGRADE_COMMAND = "the upgrade command"
"""The subject of what it does not do."""
EXPECTED = (MAKES_ROLES, NO_DOWNGRADE)
"""Why a downgrade is not run although nothing is wrong."""


@dataclass(frozen=True)
class TraceResult:
    """What the revisions in scope did, in each database.

    ``troubles``: why some of them could not be run. ``unsettled``: revisions that may behave differently next time.
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
        """What could not be checked, and why."""
        result = [
            Skipped(f"revision {run.revision}", f"it fails when it is run alone, after the earlier ones: {line}")
            for run in self.runs
            if run.failure is not None
            for line in run.failure.splitlines()[:1]
        ]
        return (*self.troubles, *result, *self._not_undone())

    def _not_undone(self) -> Iterator[Skipped]:
        """The downgrades that were not run: one line per reason, since whole projects write none."""
        names: dict[str, list[str]] = {}
        for run in self.runs:
            if run.downgrade is not None and run.downgrade.skipped is not None:
                names.setdefault(run.downgrade.skipped, []).append(run.revision)
        for reason, revisions in names.items():
            first, number = revisions[0], len(set(revisions))
            subject = (
                f"the downgrades of {number} revisions such as {first}" if number > 1 else f"the downgrade of {first}"
            )
            yield Skipped(subject, reason, expected=reason in EXPECTED)

    def settled(self) -> dict[str, tuple[RevisionRun, ...]]:
        """The runs by revision, of those that would behave the same next time."""
        return {name: runs for name, runs in self.by_revision().items() if name not in self.unsettled}

    def by_revision(self) -> dict[str, tuple[RevisionRun, ...]]:
        """The runs by revision: one per database."""
        result: dict[str, tuple[RevisionRun, ...]] = {}
        for run in self.runs:
            result[run.revision] = (*result.get(run.revision, ()), run)
        return result


def trace(run: RunContext, scope: Sequence[Revision], snapshot: Snapshot | None = None) -> TraceResult:
    """Trace the revisions in scope, and run those between them without tracing.

    Args:
        run: the project and its settings; a server is started for the trace.
        scope: the revisions, in order.
        snapshot: where to start. If that leads to a failure, the trace starts again from an empty server.

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


def _trace(run: RunContext, scope: Sequence[Revision], snapshot: Snapshot | None) -> TraceResult:
    folder, start = (snapshot.folder, snapshot.position) if snapshot is not None else (None, EMPTY)
    with open_server(run.settings, watched=True, snapshot=folder) as server:
        tracer = CommandTracer if takes_revision(run.settings.upgrade_command) else Tracer
        return tracer(run.on(server), start).trace(scope)


class Tracer:
    """One trace of a project's history."""

    def __init__(self, run: RunContext, start: Position = EMPTY) -> None:
        """``run``: on a server that was started for tracing and is at ``start``."""
        self._run = run
        self._project = run.project
        self._server = run.server
        self._monitor = run.server.connect()
        self._revision_tracer = RevisionTracer(run, self._monitor)
        self._start = start
        self._databases = Databases(dict(start.databases), start.environment, self._install)
        self._version_tables: tuple[Name, ...] = ()
        self._states: dict[str, State] = {}
        self._waiting: list[Revision] = []
        self._unsettled: set[str] = set()
        self._result = EnvResult(0)

    def trace(self, scope: Sequence[Revision]) -> TraceResult:
        """Trace all of them, in the history's order.

        Raises:
            PgPatternsError: env.py fails before any revision runs.
        """
        runs: list[RevisionRun] = []
        troubles: list[Skipped] = []
        with self._monitor:
            environments, done = self._begin(), self._start.revisions
            if self._run.settings.create_all:
                scope, done = self._rewind(scope, troubles)
            chosen = {item.revision for item in scope}
            last = max((n for n, item in enumerate(self._project.revisions) if item.revision in chosen), default=-1)
            for number, item in enumerate(self._project.revisions[: last + 1]):
                if item.revision in done:
                    continue
                if item.revision not in chosen:
                    self._waiting.append(item)
                    continue
                trouble = self._run_waiting()
                passed = trouble is None and self._trace_one(item, runs).failure is None
                self._run.progress.step(len(runs), len(chosen), item.revision)
                if trouble is not None:
                    troubles.append(trouble)
                if passed:
                    continue
                if self._run.settings.create_all:
                    troubles.append(self._pass_over(item, runs))
                # As in a deployment, where one `alembic upgrade head` runs them all in one transaction by default.
                elif not self._together(self._project.revisions[: number + 1]):
                    break
        return TraceResult(tuple(runs), environments, tuple(troubles), frozenset(self._unsettled))

    def _rewind(self, scope: Sequence[Revision], troubles: list[Skipped]) -> tuple[Sequence[Revision], frozenset[str]]:
        """Build the models and take the scope back. Returns what can be traced, and the revisions that stay."""
        self._run.progress.say("taking revisions back")
        rewound = rewind(self._run, self._result, self._databases, scope)
        troubles += [rewound.trouble] if rewound.trouble is not None else []
        undone = {item.revision for item in rewound.revisions}
        traced = [item for item in scope if item.revision in undone]
        return traced, frozenset(item.revision for item in self._project.revisions if item.revision not in undone)

    def _pass_over(self, revision: Revision, runs: list[RevisionRun]) -> Skipped:
        """Go on after a revision whose downgrade undid too little, as if it had run."""
        failure = next((run.failure for run in runs if run.revision == revision.revision and run.failure), "")
        runs[:] = [run for run in runs if run.revision != revision.revision]
        run_env(self._run, Steps("stamp", (revision.revision,)), self._databases)
        reason = f"it cannot run again after its downgrade: {failure.partition(chr(10))[0]}; {WAY_OUT}"
        return Skipped(f"revision {revision.revision}", reason, expected=True)

    def _together(self, revisions: Sequence[Revision]) -> bool:
        """Start again, with all revisions so far in one run: a revision that fails alone may pass with the others."""
        self.clear()
        self._begin()
        self._waiting = list(revisions)
        return self._run_waiting() is None

    def clear(self) -> None:
        """Drop the databases of the trace. The server continues to run."""
        for name in self._databases.names:
            self._server.drop_database(name)
        self._databases = Databases(ready=self._install)
        self._states.clear()

    def _begin(self) -> tuple[Environment, ...]:
        """Run no revision yet: env.py opens its connections, so that the databases are created."""
        for name in self._databases.names:
            self._install(name)
        self._result = run_env(self._run, Steps(), self._databases)
        tables = [Name(item.version_schema or "", item.version_table) for item in self._result.configured]
        self._version_tables = tuple(dict.fromkeys(tables))
        return tuple(map(_environment, self._result.configured))

    def _install(self, database: str) -> None:
        with self._server.connect(database) as connection:
            install(connection)

    def _run_waiting(self) -> Skipped | None:
        """Run, untraced, the revisions that precede the next one in scope."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return None
        self._run.progress.say("running the earlier revisions")
        self._states.clear()
        try:
            # What `prepare` has built may be at a revision already.
            run_env(self._run, Steps("missing", tuple(item.revision for item in waiting)), self._databases)
        except PgPatternsError as error:
            return Skipped("revisions", f"not traced: {first_line(error)}")
        return None

    def _trace_one(self, revision: Revision, runs: list[RevisionRun]) -> Step:
        for name in self._databases.names:
            self._states.setdefault(name, self._state(name))
        step = self._revision_tracer.trace(revision, self._databases)
        for name in step.result.windows:
            self._demand_known(name)
            before, self._states[name] = self._states[name], self._state(name)
            run = self._revision_tracer.facts(revision, step, name, before, self._states[name])
            if self._run.settings.downgrade and step.failure is None:
                run = replace(run, downgrade=self._downgrade(revision, run, name))
            runs.append(run)
        # PostgreSQL's error for a statement that it cannot run is always the same; another error may have other causes.
        if step.failure is not None and step.failure.failure.kind != "programming":
            self._unsettled.add(revision.revision)
        return step

    def _demand_known(self, database: str) -> None:
        """Raise PgPatternsError if a run of env.py opened a database that no run before it has opened."""
        if database not in self._states:
            raise PgPatternsError(
                f"{relative(str(self._project.env_py))} opens another database in each run, here one named {database}. "
                "Revisions are run one by one, so each would find an empty one. Let it open the same one each time."
            )

    def _state(self, database: str) -> State:
        # A copy is in no run's result: what is compared with it does not depend on the default schema.
        default = next((item.default_schema for item in self._result.configured if item.database == database), None)
        return read_state(self._server, database, self._version_tables, default)

    def _downgrade(self, revision: Revision, run: RevisionRun, database: str) -> Downgrade:
        # The copy is on the same server, so the role of the upgrade is still there, and a second upgrade would fail.
        if any(statement.changes_roles for statement in run.statements):
            return Downgrade(skipped=MAKES_ROLES)
        if revision.refuses_downgrade:
            return Downgrade(declared=True)
        try:
            copy = self._copy(database)
        except psycopg.Error as error:
            self._unsettled.add(revision.revision)
            return Downgrade(skipped=f"the database could not be copied: {first_line(error)}")
        try:
            return self._there_and_back(revision, run, copy, {database: copy})
        finally:
            self._server.drop_database(copy)

    def _there_and_back(self, revision: Revision, run: RevisionRun, copy: str, moved: Mapping[str, str]) -> Downgrade:
        names = (revision.revision,)
        try:
            run_env(self._run, Steps("down", names), self._databases, moved=moved)
        except ProjectFailed as error:
            self._doubt(error, revision)
            return _failed_downgrade(error)
        left = differences(run.before, self._state(copy).schema)
        different = tuple(str(item) for item in left if not item.only_adds_labels)
        try:
            run_env(self._run, Steps("up", names), self._databases, moved=moved)
        except ProjectFailed as error:
            self._doubt(error, revision)
            return Downgrade(differences=different, again=str(error))
        return Downgrade(differences=different)

    def _doubt(self, error: ProjectFailed, revision: Revision) -> None:
        """A full disk or a lost server shows nothing about the revision, so do not keep the result."""
        if error.failure.kind == "operational" or self._server.failure() is not None:
            self._unsettled.add(revision.revision)

    def _copy(self, database: str) -> str:
        """A copy of a database, after all connections to it have ended: PostgreSQL cannot copy one in use."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        deadline = time.monotonic() + 5
        while self._monitor.execute(query, (database,)).fetchall() and time.monotonic() < deadline:
            time.sleep(0.002)
        return self._server.create_database(f"{SCRATCH}_copy", template=database)


class CommandTracer(Tracer):
    """A trace whose states between the revisions are those that the project's own command makes.

    What a revision does is recorded in a copy, where it runs without the command: only in the project's process each
    statement has its line. The command then upgrades the database itself by the same revision.
    """

    def trace(self, scope: Sequence[Revision]) -> TraceResult:
        """Trace all of them, in the history's order, until the command fails."""
        runs: list[RevisionRun] = []
        troubles: list[Skipped] = []
        revisions = self._project.revisions
        with self._monitor:
            database = new_database(self._run, Databases())
            for number, item in enumerate(scope):
                place = revisions.index(item)
                before = self._project.heads_of(each.revision for each in revisions[:place])
                if place and (number == 0 or revisions[place - 1] != scope[number - 1]):
                    troubles += self._command(database, before, before)
                if all(trouble.expected for trouble in troubles):
                    troubles += self._in_copy(item, database, runs)
                    names = (item.revision,)
                    troubles += self._command(database, names, self._project.heads_of(before + names))
                self._run.progress.step(number + 1, len(scope), item.revision)
                if any(not trouble.expected for trouble in troubles):
                    break
        return TraceResult(tuple(runs), (), tuple(troubles))

    def _command(self, database: str, targets: Sequence[str], heads: Sequence[str]) -> Iterator[Skipped]:
        """Upgrade to each of the targets; ``heads``: where the database is afterwards."""
        try:
            command_up_to(self._run, database, targets)
            demand_stop(self._run, database, heads)
        except PgPatternsError as error:
            yield Skipped(UPGRADE_COMMAND, f"it cannot run revision {', '.join(targets)} alone: {error}")

    def _in_copy(self, revision: Revision, database: str, runs: list[RevisionRun]) -> Iterator[Skipped]:
        """Record the revision in a copy of the database; say so if only the command can run it."""
        roles = _roles(self._monitor)
        copy = copied(self._server, database, f"{SCRATCH}_step")
        self._install(copy)
        self._databases = Databases(environment=copy, ready=self._install)
        self._version_tables = version_tables(self._server, copy)
        try:
            recorded: list[RevisionRun] = []
            failure = self._trace_one(revision, recorded).failure
            if failure is None:
                runs += [replace(run, database=database) for run in recorded]
            else:
                reason = f"the upgrade command runs it, but without the command it fails: {first_line(failure)}"
                yield Skipped(f"what revision {revision.revision} does", reason, expected=True)
        finally:
            self.clear()
            # Roles belong to the whole server, so the command would find those of the copy.
            for name in _roles(self._monitor) - roles:
                self._monitor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _roles(connection: psycopg.Connection[tuple[Any, ...]]) -> set[str]:
    return {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}


def _environment(item: ConfiguredDatabase) -> Environment:
    return Environment(
        location=item.location or Location("env.py", 1),
        transaction_per_migration=item.transaction_per_migration,
        opened_transaction=item.opened_transaction,
    )


def _failed_downgrade(error: ProjectFailed) -> Downgrade:
    failure = error.failure
    if failure.kind == "no downgrade":
        return Downgrade(skipped=NO_DOWNGRADE)
    if failure.raised and failure.kind in ("project", "refused"):
        return Downgrade(declared=True)
    return Downgrade(failure=str(error), location=failure.place)
