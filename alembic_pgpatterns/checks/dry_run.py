"""Run new revisions up, down and up again on a throw-away server, and run the patterns on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alembic_pgpatterns.checks.deploy_plan import Plan, plans
from alembic_pgpatterns.checks.row_counts import with_rows
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.env_run import run_env
from alembic_pgpatterns.controller.head_schema import RunAt, enriched
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.models import Models, read_models
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.controller.revision_tracer import RevisionTracer, State, read_state
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.revision_patterns import run_revision_patterns
from alembic_pgpatterns.findings.run_patterns import run_patterns, suppressed
from alembic_pgpatterns.patterns import Finding, RevisionPattern
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.observation import install, remove
from alembic_pgpatterns.runner.messages import EnvResult, Steps
from alembic_pgpatterns.schema.catalog.difference import Difference, differences
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True, slots=True)
class DryRun:
    """The result of a dry run.

    ``new``: findings that the revisions brought. ``lost``: what their downgrade did not restore. ``plans``: what each
    file does to existing tables, in each database. ``unseen``: why that is not known.
    ``one_way``: why nothing ran down, where a file has no function for it. ``without_env_py``: why env.py was not used.
    ``schemas``: what each database holds with the revisions, by its name on the server.
    """

    new: tuple[Finding, ...]
    lost: tuple[Difference, ...]
    plans: tuple[Plan, ...] = ()
    unseen: str | None = None
    one_way: str | None = None
    without_env_py: str | None = None
    schemas: Mapping[str, Schema] = field(default_factory=dict)


UNWATCHED = "its locks are read from the log of the throw-away server, and --server names another server"


def dry_run(at: RunAt, identifiers: Sequence[str], *, watched: bool = False, downgrade: bool = True) -> DryRun:
    """Run revisions up, down and up again, by the project's env.py.

    Args:
        at: the project, read after the revisions were written, on a server at their parents or earlier.
        identifiers: of the revisions, in the order they run.
        watched: also find out what they lock; the server must have been started for that.
        downgrade: also run them down and up again.

    Raises:
        PgPatternsError: one of them fails. The message says which direction, file and line, statement, and the server's
            error.
    """
    run, names = at.run, tuple(identifiers)
    revisions = [item for item in run.project.revisions if item.revision in names]
    run.progress.say("running the earlier revisions")
    result = _run(at, Steps("until", run.project.history.tips(revisions[0].parents)), "running the earlier revisions")
    start = states_of(result, run.server)
    run.progress.say("running the new revision")
    if watched and run.server.log is not None:
        runs, upgraded = _watched(at, revisions, start)
    else:
        _run(at, Steps("up", names), "upgrade")
        runs, upgraded = (), states_of(result, run.server)
    lost: list[Difference] = []
    one_way = None
    if downgrade and (one_way := _down(at, names)) is None:
        downgraded = states_of(result, run.server)
        result = _run(at, Steps("up", names), "the second upgrade")
        lost = [item for name, old in start.items() for item in differences(old.schema, downgraded[name].schema)]
    baseline = Baseline.read(run.settings.path(run.settings.baseline)) or Baseline()
    runs = with_rows(runs, run.settings)
    findings = run_revision_patterns(chosen_patterns(run.settings, (RevisionPattern,)), runs).findings
    of_runs = [item for item in findings if not (item.guess or baseline.accepts(item.fingerprint))]
    new = [*of_runs, *_new(run, start, upgraded, result, baseline)]
    return DryRun(
        new=tuple(sorted(new, key=lambda finding: -finding.severity)),
        lost=tuple(dict.fromkeys(lost)),
        plans=plans(runs, of_runs),
        one_way=one_way,
        without_env_py=result.own_environment,
        unseen=UNWATCHED if watched and run.server.log is None else None,
        schemas={name: state.schema for name, state in upgraded.items()},
    )


def _down(at: RunAt, names: Sequence[str]) -> str | None:
    """Run the revisions down. Returns the reason if that cannot be: some projects' templates write no downgrade."""
    try:
        _run(at, Steps("down", tuple(names[::-1])), "downgrade")
    except PgPatternsError as error:
        cause = error.__cause__
        if isinstance(cause, ProjectFailed) and cause.failure.kind == "no downgrade":
            return str(cause)
        raise
    return None


States = dict[str, State]


def _watched(at: RunAt, revisions: Sequence[Revision], states: States) -> tuple[tuple[RevisionRun, ...], States]:
    """Run each alone: what one of them creates exists when the next one locks it."""
    runs: list[RevisionRun] = []
    server = at.run.server
    for database in states:
        with server.connect(database) as connection:
            install(connection)
    with server.connect() as monitor:
        tracer = RevisionTracer(at.run, monitor)
        for revision in revisions:
            step = tracer.trace(revision, at.databases)
            if step.failure is not None:
                raise PgPatternsError(f"upgrade failed: {step.failure}") from step.failure
            after = {
                name: read_state(server, name, state.version_tables, state.schema.default_schema)
                for name, state in states.items()
            }
            changed = [name for name in states if name in step.result.windows]
            runs += [tracer.facts(revision, step, name, states[name], after[name]) for name in changed]
            states = after
    for database in states:
        with server.connect(database) as connection:
            remove(connection)
    return tuple(runs), states


def _run(at: RunAt, steps: Steps, step: str) -> EnvResult:
    try:
        result = run_env(at.run, steps, at.databases)
    except PgPatternsError as error:
        raise PgPatternsError(f"{step} failed: {error}") from error
    if not any(item.database for item in result.configured):
        raise PgPatternsError("env.py ended without connecting to a database, so nothing was run.")
    return result


def states_of(result: EnvResult, server: Server) -> States:
    """The current state of each database that env.py connected to. Several environments may share one."""
    tables: dict[str, dict[Name, None]] = {}
    default: dict[str, str | None] = {}
    for item in result.configured:
        if item.database:
            tables.setdefault(item.database, {})[Name(item.version_schema or "", item.version_table)] = None
            default.setdefault(item.database, item.default_schema)
    return {name: read_state(server, name, tuple(names), default[name]) for name, names in tables.items()}


def _new(run: RunContext, before: States, after: States, result: EnvResult, baseline: Baseline) -> Iterator[Finding]:
    """New findings at head that neither models nor baseline suppress, without guesses, which pgcheck hides too."""
    for number, item in enumerate(result.configured):
        if not item.database:
            continue
        old, new = before[item.database].schema, after[item.database].schema
        declared = Models(result.run, number, item.models, by_plugin=item.by_plugin)
        models = read_models(run, declared, new.default_schema).schema
        # An empty database gets no models: findings about the models as a whole belong to the first revision only.
        earlier = enriched(old, models if old.tables else None)
        # Same settings on both sides: what a pattern finds before and after is no work of these revisions.
        existing = {finding.fingerprint for finding in run_patterns(earlier, run.settings).findings}
        for finding in run_patterns(enriched(new, models), run.settings).findings:
            accepted = baseline.accepts(finding.fingerprint) or suppressed(finding)
            hidden = finding.guess and not run.settings.guesses
            if finding.fingerprint not in existing and not accepted and not hidden:
                yield finding
