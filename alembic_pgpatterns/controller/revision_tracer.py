"""Run one revision and record what it does, on a server that was started with `serverlog.SETTINGS`.

The databases need the event triggers of `observation.install`. The triggers' own objects are left out of the schemas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import Databases, ProjectRunFailed, run_env
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.observation import SCHEMA, ObservedRelations
from alembic_pgpatterns.revisions.recorder import Recording
from alembic_pgpatterns.revisions.statements import RecordedRun, statements
from alembic_pgpatterns.runner.messages import EnvResult, Steps
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Location, Name, Schema
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True)
class State:
    """A database between two revisions. ``version_tables``: Alembic's own, which are not read."""

    schema: Schema
    relations: ObservedRelations
    version_tables: tuple[Name, ...]


def read_state(
    server: Server, database: str, version_tables: tuple[Name, ...], default_schema: str | None = None
) -> State:
    """The present state of a database, without our event triggers."""
    with server.connect(database) as connection:
        # The version table differs before and after every revision.
        schema = catalog.read(connection, default_schema=default_schema, version_tables=version_tables)
        return State(_without_ours(schema), ObservedRelations.read(connection), version_tables)


@dataclass(frozen=True)
class Step:
    """One recorded revision. ``failure``: why it failed."""

    result: EnvResult
    failure: ProjectRunFailed | None = None


@dataclass(frozen=True)
class RevisionTracer:
    """Records revisions on one server. ``monitor``: a connection to it that nothing else uses."""

    run: RunContext
    monitor: Any

    def trace(self, revision: Revision, databases: Databases) -> Step:
        """Upgrade by one revision. If that fails, the step has the failure.

        Raises:
            ProjectFailed: the project's process ended, or took too long.
        """
        try:
            return Step(run_env(self.run, Steps("up", (revision.revision,)), databases, monitor=self.monitor))
        except ProjectRunFailed as error:
            return Step(error.result, error)

    def facts(self, revision: Revision, step: Step, database: str, before: State, after: State) -> RevisionRun:
        """What the revision did to one of the databases."""
        path = relative(revision.path)
        fallback = Location(path, revision.upgrade_line)
        return RevisionRun(
            revision=revision.revision,
            down_revisions=revision.parents,
            path=path,
            statements=tuple(
                replace(s, location=Location(relative(s.location.path), s.location.line))
                for window in step.result.windows[database]
                for s in statements(self._recorded(step, window, before, fallback))
            ),
            before=before.schema,
            after=after.schema,
            downgrade_line=revision.downgrade_line,
            failure=str(step.failure) if step.failure is not None else None,
            database=database,
            portable=self.run.project.names_sqlite,
        )

    def _recorded(self, step: Step, window: tuple[int, int], before: State, fallback: Location) -> RecordedRun:
        default_schema = before.schema.default_schema
        assert self.run.server.log is not None
        return RecordedRun(
            recording=step.result.recording or Recording(),
            log=self.run.server.log,
            start=step.result.start,
            window=window,
            before=before.relations,
            fallback=fallback,
            default_schema=default_schema,
            ignored=frozenset(Name(name.schema or default_schema, name.name) for name in before.version_tables),
        )


def _without_ours(schema: Schema) -> Schema:
    return replace(
        schema,
        namespaces=tuple(item for item in schema.namespaces if item.name != SCHEMA),
        functions=tuple(item for item in schema.functions if item.name.schema != SCHEMA),
    )
