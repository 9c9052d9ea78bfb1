"""Check the revisions of a project: trace those in scope, and run the patterns on them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alembic_pgpatterns.checks.drifted import Compared, drop_of_drift
from alembic_pgpatterns.checks.model_drift import drifts_of
from alembic_pgpatterns.checks.old_code import broken_by
from alembic_pgpatterns.checks.old_release import read_old_release, reference_of
from alembic_pgpatterns.checks.row_counts import with_rows
from alembic_pgpatterns.checks.scope import ToTrace
from alembic_pgpatterns.checks.slowed import slowed
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.controller.cache.traces import NO_TRACES
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.head_schema import DatabaseAtHead, Head
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.tracer import TraceResult
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.findings.report_model import Gathered
from alembic_pgpatterns.findings.revision_patterns import run_history_patterns, run_revision_patterns
from alembic_pgpatterns.findings.run_patterns import unique
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.patterns import HistoryPattern, Pattern, RevisionPattern
from alembic_pgpatterns.patterns.revisions.breaks_old_code import BreaksOldCode
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.patterns.revisions.slowed_statement import SlowedStatement
from alembic_pgpatterns.processes import newer_python
from alembic_pgpatterns.revisions.model import Broken, History, RevisionRun
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.model import Location


@dataclass(frozen=True)
class RevisionCheck:
    """Traces the revisions in scope, and runs the patterns about revisions and about the history."""

    run: Run

    def gather(self, todo: ToTrace, head: Head, gathered: Gathered, adopted: bool) -> None:
        """Add the results for the revisions to ``gathered``.

        Args:
            todo: the revisions to trace.
            head: the project at head.
            gathered: gets the results.
            adopted: compare the head with the target of autogenerate, not with the models as they are written.

        Raises:
            PgPatternsError: a server does not start.
        """
        settings = self.run.settings
        patterns = chosen_patterns(settings, (RevisionPattern, HistoryPattern))
        if not patterns:
            return
        if todo.reason and not todo.scope:
            gathered.skipped.append(Skipped("what revisions do", todo.reason, expected=todo.expected))
            self._not_tried("the old code is tried after each of the revisions that are traced", patterns, gathered)
        elif todo.reason:
            gathered.skipped.append(Skipped("older revisions", todo.reason, expected=True))
        traced = self._trace_if_possible(todo)
        gathered.runs = with_rows(traced.runs, settings)
        gathered.known_new = todo.known_new
        of_runs = run_revision_patterns(patterns, gathered.runs)
        history = replace(self._history(gathered), environments=traced.environments)
        gathered.skipped += traced.skipped
        compared = _compared(self.run.on(head.server), head, patterns, adopted, gathered.skipped)
        drifts = None if compared is None else tuple(drift for _, item in compared for drift in item.drifts)
        for database, item in compared or ():
            drop_of_drift(gathered, item, settings, database.label)
        # Both run the history up to the scope on an empty server, which it does not start from.
        scope = () if settings.create_all else todo.scope
        if len(scope) < len(todo.scope):
            reason = "it is tried on a schema that the revisions make, and with create_all the models make it"
            self._not_tried(reason, patterns, gathered)
        slow = slowed(self.run, scope, head) if _selected(patterns, SlowedStatement) else ()
        broken = self._broken(scope, gathered) if _selected(patterns, BreaksOldCode) else ()
        of_history = run_history_patterns(patterns, replace(history, drifts=drifts, slowed=slow, broken=broken))
        results = list(unique((*of_runs.findings, *of_history)))
        gathered.findings += [finding for finding in results if not finding.guess]
        gathered.guesses += [finding for finding in results if finding.guess]
        gathered.suppressed += of_runs.suppressed
        gathered.hints += of_runs.complaints

    def _not_tried(self, reason: str, patterns: Sequence[Pattern], gathered: Gathered) -> None:
        """Say why the old code is not tried, if it would have been: a gap only if it was asked for."""
        settings = self.run.settings
        if _selected(patterns, BreaksOldCode) and reference_of(settings, Path(self.run.project.script.folder)):
            gathered.skipped.append(Skipped("old code", reason, expected=settings.old_code is None))

    def _trace_if_possible(self, todo: ToTrace) -> TraceResult:
        """The trace. Revisions of a command of the project's may need what only that command sets up."""
        if self.run.settings.upgrade_command is None:
            return self._trace(todo)
        try:
            return self._trace(todo)
        except PgPatternsError as error:
            reason = f"a command of the project's runs them, and they fail without it: {first_line(error)}"
            return TraceResult(troubles=(Skipped("what revisions do", reason, expected=True),))

    def _broken(self, scope: Sequence[Revision], gathered: Gathered) -> tuple[Broken, ...]:
        """What the release before can no longer do. Its files may not run here: a gap only if it was asked for."""
        settings, project = self.run.settings, self.run.project
        folder = Path(project.script.folder)
        reference = reference_of(settings, folder) if scope else None
        if reference is None:
            return ()
        try:
            release = read_old_release(project.config, settings, self.run.progress, reference, folder)
        except SettingsError:
            raise  # there is no such reference
        except PgPatternsError as error:
            gathered.skipped.append(Skipped("old code", first_line(error), expected=settings.old_code is None))
            return ()
        tried = broken_by(self.run, scope, release, gathered.runs)
        for item in tried.unfilled:
            gathered.skipped.append(Skipped(f"old code with rows of {item.table}", item.reason, expected=True))
        # What is only imagined asks for a thought, and takes nothing away.
        if all(item.imagined for item in tried.broken):
            tables = f"its {counted(release.tables, 'tables')}"
            rows = f" ({tried.with_rows} tried with rows)" if tried.with_rows else ""
            gathered.hints.append(
                f"The code of {release.name} still reads and writes {tables} after each new revision{rows}."
            )
        return tried.broken

    def _trace(self, todo: ToTrace) -> TraceResult:
        cache = self.run.cache
        if cache is not None and not cache.agrees(todo.cached):
            todo = replace(todo, cached=NO_TRACES)
        traced_before = tuple(run for runs in todo.cached.runs.values() for run in runs)
        if not todo.others:
            return TraceResult(traced_before, todo.cached.environments)
        self.run.progress.say(f"tracing {counted(len(todo.others), 'revisions')}")
        traced = self.run.trace(todo.others, todo.before(self.run.project))
        if cache is not None:
            runs = {**todo.cached.runs, **traced.settled()}
            cache.keep_runs(todo.scope, self.run.settings.downgrade, runs, traced.environments)
        return replace(traced, runs=(*traced_before, *traced.runs))

    def _history(self, gathered: Gathered) -> History:
        """The history; an empty one if a command ran it, and its files cannot be read from here."""
        if self.run.settings.upgrade_command is None:
            return _history(self.run.project, gathered.runs)
        try:
            return _history(self.run.project, gathered.runs)
        except PgPatternsError as error:
            reason = f"a command of the project's ran it, and its files cannot be read: {first_line(error)}"
            gathered.skipped.append(Skipped("the history of revisions", reason, expected=True))
            return History(runs=gathered.runs)


def _selected(patterns: Sequence[Pattern], cls: type[Pattern]) -> bool:
    return any(isinstance(pattern, cls) for pattern in patterns)


def _history(project: Project, runs: tuple[RevisionRun, ...]) -> History:
    scripts = {script.revision: script for script in project.revisions}
    heads = [scripts[head] for head in project.heads if head in scripts]
    return History(
        heads=tuple((script.revision, relative(script.path)) for script in heads),
        labelled=bool(heads) and all(script.labels for script in heads),
        runs=runs,
        uses_autocommit=tuple(_autocommit_blocks(run.path for run in runs)),
    )


def _autocommit_blocks(paths: Iterable[str]) -> Iterator[Location]:
    for path in dict.fromkeys(paths):
        tree = newer_python.parse(read_text(Path(path)))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_autocommit_block(node)]
        yield from (Location(path, call.lineno) for call in calls[:1])


def _is_autocommit_block(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "autocommit_block"


def _compared(
    run: RunContext, head: Head, patterns: Iterable[Pattern], adopted: bool, skipped: list[Skipped]
) -> list[tuple[DatabaseAtHead, Compared]] | None:
    if not any(pattern.name == ModelDrift.name for pattern in patterns) or run.settings.create_all:
        return None
    result: list[tuple[DatabaseAtHead, Compared]] = []
    for item in head.databases:
        if item.database.models.count:
            # Without the plugin, the project's autogenerate compares with the models as they are written.
            compared = drifts_of(run, item, effective=adopted and item.database.enforced)
            if isinstance(compared, Skipped):
                skipped.append(compared)
            else:
                result.append((item, compared))
    return result
