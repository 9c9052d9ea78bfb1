"""One revision run under observation, whoever runs env.py; the server must have been started with `serverlog.SETTINGS`.

The databases need the event triggers of `observation.install`; what they are made of is left out of what is read here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.observation import SCHEMA, ObservedRelations, held
from alembic_pgpatterns.revisions.recorder import Recorder
from alembic_pgpatterns.revisions.statements import RecordedRun, statements
from alembic_pgpatterns.runner.project import Project, relative
from alembic_pgpatterns.runner.run_env import database_of, migration_step
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Location, Name, Schema
from alembic_pgpatterns.server.protocol import Server

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script

Steps = Callable[..., list[Any]]
"""What is to be done, as EnvironmentContext wants it: ``(revisions, context) -> steps``."""


@dataclass(frozen=True)
class State:
    """A database between two revisions. ``version_tables``: Alembic's own, which nobody asks about."""

    schema: Schema
    relations: ObservedRelations
    version_tables: tuple[Name, ...]


def read_state(server: Server, database: str, version_tables: tuple[Name, ...]) -> State:
    """What is in a database now, but for what watches it."""
    with server.connect(database) as connection:
        schema = catalog.read(connection, version_tables=version_tables)
        return State(_without_ours(schema), ObservedRelations.read(connection), version_tables)


@dataclass
class Step:
    """What a recorded environment run gave: where each database's revision stands in the server's log.

    More than once for a database in which env.py runs it for several schemas.
    """

    start: int
    recorder: Recorder
    windows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    failure: PgPatternsError | None = None


@dataclass(frozen=True)
class RevisionTracer:
    """Watches one server. ``log``: the server's. ``monitor``: a connection to it that nothing else uses."""

    project: Project
    log: Path
    monitor: Any

    def watched(self, script: Script, run: Callable[[Steps], object]) -> Step:
        """Upgrade by one revision; where it fails, the step says why."""
        recorder = Recorder(self.project.revision_files, self.log, lambda pid: held(self.monitor, pid))
        step = Step(recorder.position(), recorder)

        def upgrade(heads: Any, context: MigrationContext) -> list[Any]:
            database = database_of(context)

            def around(function: Callable[..., Any]) -> Callable[..., Any]:
                def recorded(**keywords: Any) -> None:
                    try:
                        with recorder.recording() as window:
                            function(**keywords)
                    finally:
                        step.windows.setdefault(database, []).append((window[0], window[1]))

                return recorded

            return [migration_step(self.project, script, up=True, around=around)]

        with recorder.listening():
            try:
                run(upgrade)
            except PgPatternsError as error:
                step.failure = error
        return step

    def facts(self, script: Script, step: Step, database: str, before: State, after: State) -> RevisionRun:
        """What the revision did to one of the databases."""
        path = relative(str(Path(script.path).absolute()))
        fallback = Location(path, line_of(script, "upgrade"))
        return RevisionRun(
            revision=script.revision,
            down_revisions=tuple(script._all_down_revisions),
            path=path,
            statements=tuple(
                replace(s, location=Location(relative(str(Path(s.location.path).absolute())), s.location.line))
                for window in step.windows[database]
                for s in statements(self._recorded(step, window, before, fallback))
            ),
            before=before.schema,
            after=after.schema,
            downgrade_line=line_of(script, "downgrade"),
            failure=str(step.failure) if step.failure is not None else None,
            database=database,
        )

    def _recorded(self, step: Step, window: tuple[int, int], before: State, fallback: Location) -> RecordedRun:
        default_schema = before.schema.default_schema
        return RecordedRun(
            recorder=step.recorder,
            log=self.log,
            start=step.start,
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


def line_of(script: Script, function: str) -> int:
    """Where a function of a revision begins; 1 where it has none."""
    found = getattr(script.module, function, None)
    with contextlib.suppress(AttributeError):
        return int(found.__code__.co_firstlineno)  # type: ignore[union-attr]
    return 1
