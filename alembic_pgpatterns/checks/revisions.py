"""The revisions of a project under the lens: traced where they are in scope, and judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.checks.model_drift import drifts_of
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Skipped
from alembic_pgpatterns.findings.run_patterns import unique
from alembic_pgpatterns.findings.suppressions import Sifted, sift
from alembic_pgpatterns.patterns import Finding, HistoryPattern, Pattern, RevisionPattern, registry
from alembic_pgpatterns.revisions.model import Drift, History, RevisionRun
from alembic_pgpatterns.runner.cache.history import HistoryCache
from alembic_pgpatterns.runner.cache.traces import NO_TRACES, Traces
from alembic_pgpatterns.runner.head_schema import Head
from alembic_pgpatterns.runner.project import Project, relative
from alembic_pgpatterns.runner.scratch_databases import Progress
from alembic_pgpatterns.runner.selection import scope_of
from alembic_pgpatterns.runner.tracer import Traced, trace
from alembic_pgpatterns.schema.model import Location, Name

if TYPE_CHECKING:
    from alembic.script import Script

Effective = Callable[[Sequence[Any], Settings], Any]
"""Models, to models with all that autogenerate would enforce on them."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and what there is to say of it."""

    findings: tuple[Finding, ...] = ()
    suppressed: int = 0
    skipped: tuple[Skipped, ...] = ()
    hints: tuple[str, ...] = ()
    runs: tuple[RevisionRun, ...] = ()


@dataclass(frozen=True)
class ToTrace:
    """The revisions to look at: what an earlier run saw of the first ones, and the others.

    ``reason``: why there are none although there could be.
    """

    scope: tuple[Script, ...] = ()
    reason: str | None = None
    known: Traces = NO_TRACES

    @property
    def others(self) -> tuple[Script, ...]:
        """Those that nobody has looked at yet."""
        return self.scope[len(self.known.runs) :]

    def before(self, project: Project) -> frozenset[str]:
        """The revisions that have run when the first of the others does; none where there is no such one."""
        names = [script.revision for script in project.revisions] if self.others else []
        return frozenset(names[: names.index(self.others[0].revision)] if names else ())


def to_trace(project: Project, settings: Settings, baseline: Baseline | None, cache: HistoryCache | None) -> ToTrace:
    """The revisions in scope, and what is known of them.

    Raises:
        PgPatternsError: no such revision or git reference.
    """
    patterns = settings.chosen((RevisionPattern, HistoryPattern))
    reason = _untraceable(settings, patterns) if patterns else None
    if reason is not None or not patterns:
        return ToTrace(reason=reason)
    scope = scope_of(project, settings, baseline)
    known = cache.runs(scope.revisions, settings.downgrade) if cache is not None else NO_TRACES
    return ToTrace(scope.revisions, scope.reason, known)


def look(
    project: Project,
    settings: Settings,
    adopted: bool,
    todo: ToTrace,
    head: Head,
    progress: Progress,
    cache: HistoryCache | None = None,
    effective: Effective | None = None,
) -> Looked:
    """Trace the revisions in scope and run their patterns; then those of the history as a whole.

    Raises:
        PgPatternsError: a server that cannot be started.
    """
    patterns = settings.chosen((RevisionPattern, HistoryPattern))
    if not patterns:
        return Looked()
    traced = _trace(project, settings, todo, cache, progress)
    skipped = (Skipped("what revisions do", todo.reason),) if todo.reason and not todo.scope else ()
    runs = with_rows(traced.runs, settings)
    sifted = judge_runs(patterns, runs)
    known, unread = _known_history(project, runs, settings)
    history = replace(known, environments=traced.environments)
    drifts, untold = _drifts(head, settings, patterns, effective if adopted else None)
    whole = _of_history(patterns, replace(history, drifts=drifts))
    return Looked(
        findings=tuple(unique((*sifted.findings, *whole))),
        suppressed=sifted.suppressed,
        skipped=tuple(dict.fromkeys((*skipped, *unread, *traced.skipped, *untold))),
        hints=sifted.complaints,
        runs=runs,
    )


def _trace(
    project: Project, settings: Settings, todo: ToTrace, cache: HistoryCache | None, progress: Progress
) -> Traced:
    if cache is not None and not cache.agrees(todo.known):
        todo = replace(todo, known=NO_TRACES)
    known = tuple(run for runs in todo.known.runs.values() for run in runs)
    if not todo.others:
        return Traced(known, todo.known.environments)
    progress.say(f"tracing {len(todo.others)} revision{'s' if len(todo.others) > 1 else ''}")
    snapshot = cache.find(todo.before(project)) if cache is not None else None
    traced = trace(project, settings, todo.others, progress, snapshot)
    if cache is not None:
        runs = {**todo.known.runs, **traced.settled()}
        cache.keep_runs(todo.scope, settings.downgrade, runs, traced.environments)
    return replace(traced, runs=(*known, *traced.runs))


def _untraceable(settings: Settings, patterns: Sequence[Pattern]) -> str | None:
    if not any(isinstance(pattern, RevisionPattern) for pattern in patterns):
        return "no pattern of revisions is selected"
    if settings.upgrade_command is not None:
        return "an upgrade command ran them, where nothing can be watched"
    if settings.create_all:
        return "the schema was built from the models"
    if settings.server is not None:
        return "they are watched through the log of a server of ours, and --server names another"
    return None


def about_a_revision(finding: Finding) -> bool:
    """Whether the finding is about what the revisions looked at do, and not about the schema or the whole history."""
    pattern = registry().get(finding.pattern)
    if pattern is None or not issubclass(pattern, HistoryPattern):
        return pattern is not None and issubclass(pattern, RevisionPattern)
    return pattern.of_scope


def judge_runs(patterns: Sequence[Pattern], runs: Sequence[RevisionRun]) -> Sifted:
    """What the patterns say of each revision, without what its file suppresses."""
    findings = [finding for run in runs for finding in _of_run(patterns, run)]
    return sift(findings, (run.path for run in runs), frozenset(pattern.name for pattern in patterns))


def _of_run(patterns: Iterable[Pattern], run: RevisionRun) -> Iterator[Finding]:
    for pattern in patterns:
        if isinstance(pattern, RevisionPattern):
            yield from _detect(pattern, run)


def _of_history(patterns: Iterable[Pattern], history: History) -> list[Finding]:
    return [
        finding for pattern in patterns if isinstance(pattern, HistoryPattern) for finding in _detect(pattern, history)
    ]


def _detect(pattern: Any, facts: Any) -> list[Finding]:
    try:
        return list(pattern.detect(facts))
    except Exception as error:
        raise PgPatternsError(
            f"The pattern {pattern.name} failed: {type(error).__name__}: {error}. This is a mistake in the pattern; "
            f"please report it. Until then leave it out: --ignore {pattern.name}."
        ) from error


def _known_history(
    project: Project, runs: tuple[RevisionRun, ...], settings: Settings
) -> tuple[History, tuple[Skipped, ...]]:
    """The history; none, with the reason, where a command ran it: its files may import what only that program has.

    And where they do load from here, that is the whole application, for the second time.
    """
    if settings.upgrade_command is not None:
        return History(runs=runs), (Skipped("the history of revisions", "an upgrade command ran it"),)
    return _history(project, runs), ()


def _history(project: Project, runs: tuple[RevisionRun, ...]) -> History:
    scripts = {script.revision: script for script in project.revisions}
    heads = [scripts[head] for head in project.heads if head in scripts]
    return History(
        heads=tuple((script.revision, relative(str(Path(script.path).absolute()))) for script in heads),
        labelled=bool(heads) and all(script.branch_labels for script in heads),
        runs=runs,
        uses_autocommit=tuple(_autocommit_blocks(run.path for run in runs)),
    )


def _autocommit_blocks(paths: Iterable[str]) -> Iterator[Location]:
    for path in dict.fromkeys(paths):
        for number, line in enumerate(Path(path).read_text("utf-8", "replace").splitlines(), 1):
            if "autocommit_block(" in line and not line.lstrip().startswith("#"):
                yield Location(path, number)
                break


def _drifts(
    head: Head, settings: Settings, patterns: Iterable[Pattern], effective: Effective | None
) -> tuple[tuple[Drift, ...] | None, tuple[Skipped, ...]]:
    if not any(pattern.name == "model-drift" for pattern in patterns) or settings.create_all:
        return None, ()
    found: list[Drift] = []
    untold: list[Skipped] = []
    for schema, database in zip(head.schemas, head.databases, strict=True):
        if database.metadatas:
            metadatas = [effective(database.metadatas, settings)] if effective else database.metadatas
            told = drifts_of(head.server, database.name, schema, metadatas, settings)
            if isinstance(told, Skipped):
                untold.append(told)
            else:
                found += told
    return tuple(found), tuple(untold)


def with_rows(runs: Sequence[RevisionRun], settings: Settings) -> tuple[RevisionRun, ...]:
    """The runs with the rows per table that the settings' file gives, where they name one."""
    if settings.stats is None:
        return tuple(runs)
    counts = read_rows(settings.path(settings.stats))
    return tuple(
        replace(run, rows=tuple((run.resolve(name.schema, name.name), rows) for name, rows in counts)) for run in runs
    )


def read_rows(path: Path) -> tuple[tuple[Name, int], ...]:
    """Rows per table, of a file with ``table rows`` a line, or a JSON object; a schema may stand before the table.

    Raises:
        PgPatternsError: it cannot be read, or a line is not so.
    """
    try:
        text = path.read_text(encoding="utf-8")
        lines = [line.replace(",", " ").replace("|", " ").split() for line in text.splitlines() if line.strip()]
        pairs = json.loads(text).items() if text.lstrip().startswith("{") else lines
        return tuple((_name(str(name)), int(rows)) for name, rows in pairs)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PgPatternsError(
            f"{path}: rows of tables cannot be read: {error}. A line is `table rows`; pg_class has them in reltuples."
        ) from error


def _name(text: str) -> Name:
    schema, _, name = text.rpartition(".")
    return Name(schema.strip('"'), name.strip('"'))
