"""Run new revisions up, down and up again on a throw-away server, and run the patterns on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.checks.deploy_plan import Plan, plans
from alembic_pgpatterns.checks.revisions import run_revision_patterns
from alembic_pgpatterns.checks.row_counts import with_rows
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.head_schema import enriched
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.revision_tracer import RevisionTracer, State, Steps, read_state
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.run_patterns import run_patterns, suppressed
from alembic_pgpatterns.patterns import Finding, RevisionPattern
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.observation import install, remove
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.run_env import EnvRun, migration_step, run_revisions
from alembic_pgpatterns.runner.target_metadata import read_models
from alembic_pgpatterns.schema.difference import differences
from alembic_pgpatterns.schema.model import Name
from alembic_pgpatterns.server.protocol import Server

if TYPE_CHECKING:
    from alembic.script import Script


@dataclass(frozen=True, slots=True)
class DryRun:
    """What came out of it.

    ``new``: findings that the revisions brought. ``lost``: what their downgrade did not restore. ``plans``: what each
    file does to the tables that were there before it, in each database; ``unseen``: why that is not known.
    """

    new: tuple[Finding, ...]
    lost: tuple[str, ...]
    plans: tuple[Plan, ...] = ()
    unseen: str | None = None


UNWATCHED = "what it locks is read from the log of a server of ours, and --server names another"


def dry_run(
    project: Project,
    identifiers: Sequence[str],
    settings: Settings,
    server: Server,
    progress: Progress,
    watched: bool = False,
) -> DryRun:
    """Run revisions up, down and up again, by the project's env.py; to be called inside `scratch.on_server`.

    Args:
        project: read after the revisions were written; the database may be at their parents or before them.
        identifiers: of the revisions, in the order they run.
        settings: the project's.
        server: where all of it happens.
        progress: who is told.
        watched: tell what they lock, too; a server of ours must have been opened so.

    Raises:
        PgPatternsError: one of them fails: which way, file and line, statement, what the server said.
    """
    with project.explained_history():
        scripts = [project.script.get_revision(identifier) for identifier in identifiers]
    progress.say("running the revisions before")
    environment = _run(project, _until(project, scripts[0]), "the revisions before it")
    start = _states(environment, server)
    progress.say("running the new revision")
    if watched and server.log is not None:
        runs, there = _watched(project, scripts, server, server.log, start)
    else:
        _run(project, _up(project, scripts), "upgrade")
        runs, there = (), _states(environment, server)
    _run(project, _down(project, scripts), "downgrade")
    back = _states(environment, server)
    _run(project, _up(project, scripts), "the second upgrade")
    lost = [str(item) for name, old in start.items() for item in differences(old.schema, back[name].schema)]
    baseline = Baseline.read(settings.path(settings.baseline)) or Baseline()
    runs = with_rows(runs, settings)
    found = run_revision_patterns(settings.chosen((RevisionPattern,)), runs).findings
    of_runs = [finding for finding in found if not baseline.accepts(finding.fingerprint)]
    new = [*of_runs, *_new(start, there, environment, settings, baseline)]
    return DryRun(
        new=tuple(sorted(new, key=lambda finding: -finding.severity)),
        lost=tuple(dict.fromkeys(lost)),
        plans=plans(runs, of_runs),
        unseen=UNWATCHED if watched and server.log is None else None,
    )


States = dict[str, State]


def _watched(
    project: Project, scripts: Sequence[Script], server: Server, log: Path, states: States
) -> tuple[tuple[RevisionRun, ...], States]:
    """Run each by itself, so that what one of them leaves behind is there for the next to lock."""
    runs: list[RevisionRun] = []
    for database in states:
        with server.connect(database) as connection:
            install(connection)
    with server.connect() as monitor:
        watcher = RevisionTracer(project, log, monitor)
        for script in scripts:
            step = watcher.watched(script, lambda steps: _run(project, steps, "upgrade"))
            if step.failure is not None:
                raise step.failure
            after = {name: read_state(server, name, state.version_tables) for name, state in states.items()}
            seen = [name for name in states if name in step.windows]
            runs += [watcher.facts(script, step, name, states[name], after[name]) for name in seen]
            states = after
    for database in states:
        with server.connect(database) as connection:
            remove(connection)
    return tuple(runs), states


def _run(project: Project, steps: Steps, what: str) -> EnvRun:
    try:
        run = run_revisions(project, steps, destination_rev="heads")
    except PgPatternsError as error:
        raise PgPatternsError(f"{what} failed: {error}") from error
    if not any(entry.database for entry in run.configured):
        raise PgPatternsError("env.py ended without connecting to a database, so nothing could be tried out.")
    return run


def _until(project: Project, script: Script) -> Steps:
    """All that the first new revision comes from."""
    parents = script.down_revision
    target = parents if parents is not None else ()
    names = [target] if isinstance(target, str) else list(target)
    names += list(script._resolved_dependencies)

    def steps(revision: Any, context: object) -> list[Any]:
        if set(names) <= project.ancestors(revision):
            return []
        target: Any = tuple(names)
        return project.script._upgrade_revs(target, revision)

    return steps


def _up(project: Project, scripts: Sequence[Script]) -> Steps:
    return lambda revision, context: [migration_step(project, script, up=True) for script in scripts]


def _down(project: Project, scripts: Sequence[Script]) -> Steps:
    return lambda revision, context: [migration_step(project, script, up=False) for script in reversed(scripts)]


def _states(run: EnvRun, server: Server) -> States:
    """Each database that env.py connected to, as it is now; several environments may share one."""
    tables: dict[str, dict[Name, None]] = {}
    for entry in run.configured:
        if entry.database:
            tables.setdefault(entry.database, {})[Name(entry.version_schema or "", entry.version_table)] = None
    return {name: read_state(server, name, tuple(names)) for name, names in tables.items()}


def _new(before: States, after: States, run: EnvRun, settings: Settings, baseline: Baseline) -> Iterator[Finding]:
    """Findings at head that were not there before, that the models do not suppress and nobody accepted."""
    for entry in run.configured:
        if not entry.database:
            continue
        old, new = before[entry.database].schema, after[entry.database].schema
        models = read_models(entry.metadatas, new.default_schema, settings, entry.dialect).schema
        # What is wrong with the models as a whole came with the first revision, and not again with each.
        was = enriched(old, models if old.tables else None)
        known = {finding.fingerprint for finding in run_patterns(was, settings).findings}
        for finding in run_patterns(enriched(new, models), settings).findings:
            accepted = baseline.accepts(finding.fingerprint) or suppressed(finding)
            if finding.fingerprint not in known and not accepted:
                yield finding
