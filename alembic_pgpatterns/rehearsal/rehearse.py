"""Rehearse revisions: each on a few made-up rows to see what fails, then on many under load to measure the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from alembic_pgpatterns.advisor.facts import Statistics
from alembic_pgpatterns.advisor.statistics import read_statistics
from alembic_pgpatterns.checks.named import demand_files, demand_references, demand_server, rows_text
from alembic_pgpatterns.checks.needs import with_needs
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.env_run import NothingRan
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.selection import named_revision, scope_of
from alembic_pgpatterns.controller.tracer import TraceResult
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.rehearsal.measure import measure
from alembic_pgpatterns.rehearsal.model import Gathered, Measurement, RevisionResult
from alembic_pgpatterns.rehearsal.options import Budget, LimitReached, Options
from alembic_pgpatterns.rehearsal.results import result_of
from alembic_pgpatterns.rehearsal.rows.fill import fill
from alembic_pgpatterns.rehearsal.rows.merged import expected_types, merged
from alembic_pgpatterns.rehearsal.rows.model import ColumnShape, Filled, Request
from alembic_pgpatterns.rehearsal.server import rehearsal_server
from alembic_pgpatterns.rehearsal.sizes import SMALL, Sizes, touched
from alembic_pgpatterns.rehearsal.stage import Stage
from alembic_pgpatterns.rehearsal.trial import Trial, message_of, unvalidated
from alembic_pgpatterns.rehearsal.watch import Watch
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.rehearsed import RowFailure
from alembic_pgpatterns.schema.model import Location, Name, Schema

FEW = 500
"""Rows per table to find failures and lost data."""
PILOT = 20_000
"""Rows of the first run if many are expected, which only says how many time and disk allow."""
REPEATS = 2
"""Measurements at the small size. Their difference is the spread."""


def rehearse(project: Project, settings: Settings, options: Options, progress: Progress) -> Gathered:
    """Rehearse the revisions in scope.

    Args:
        project: the project.
        settings: of the project.
        options: revisions, rows and limits.
        progress: shows the present step.

    Raises:
        SettingsError: the file of statistics or of the user's rows cannot be used.
        PgPatternsError: no revision, no server, a server that is not disposable, a named revision that does not exist,
            or an env.py that does not work.
    """
    gathered = Gathered()
    demand_files(settings, options.seed)
    scope = _scope(project, settings, options, gathered)
    if not scope:
        if settings.server is not None:
            with rehearsal_server(settings):  # it must also say that it is disposable
                return gathered
        demand_server(settings)
        return gathered
    budget = Budget(options.seconds, len(scope))
    settings, traced = with_needs(
        project, settings, progress, lambda settings: _traced(project, settings, scope, progress), lambda it: it.failed
    )
    # A revision that fails without rows is not rehearsed at all, which must not look like a revision without findings.
    gathered.skipped += [replace(item, broken=item.subject.startswith("revision")) for item in traced.skipped]
    gathered.runs += traced.runs
    runs = traced.by_revision()
    with rehearsal_server(settings, options.bytes) as server:
        gathered.server = f"PostgreSQL {server.version // 10000}.{server.version % 10000} ({server.source})"
        stage = Stage(Run(project, settings, progress).on(server), Watch(server, budget, options.bytes))
        for number, script in enumerate(scope):
            progress.step(number, len(scope), script.revision)
            revision = _Revision(stage, script, runs.get(script.revision, ()), options, budget, gathered)
            if not _rehearse_one(revision):
                break
            budget.waiting -= 1
    return gathered


def _scope(project: Project, settings: Settings, options: Options, gathered: Gathered) -> tuple[Revision, ...]:
    demand_references(project, settings)
    if settings.upgrade_command is not None or settings.create_all:
        reason = "an upgrade command runs them" if settings.upgrade_command else "the schema is built from the models"
        gathered.skipped.append(Skipped("revisions", f"{reason}, so no revision can run alone"))
        return ()
    project.demand_revisions("rehearse")
    if options.revisions:
        names = {named_revision(project, name, "REV").revision for name in options.revisions}
        return tuple(script for script in project.revisions if script.revision in names)
    scope = scope_of(project, settings, Baseline.read(settings.path(settings.baseline)))
    if scope.reason is not None:
        gathered.skipped.append(Skipped("revisions", scope.reason, expected=True))
    return scope.revisions


def _traced(project: Project, settings: Settings, scope: Sequence[Revision], progress: Progress) -> TraceResult:
    """A run of each revision on empty tables: the tables that it touches, and the schema before and after."""
    progress.say("running the revisions on empty tables")
    # The cache has the traces of pgcheck, but only those of throw-away servers.
    local = replace(settings, server=None)
    empty = Run(project, local, progress, cache=HistoryCache.open(project, local))
    return empty.trace(scope, _before(project, scope[0]))


def _before(project: Project, script: Revision) -> frozenset[str]:
    """The revisions that run before this one in the trace, including those of other branches."""
    names = [item.revision for item in project.revisions]
    return frozenset(names[: names.index(script.revision)])


def _rehearse_one(revision: _Revision) -> bool:
    """Rehearse one revision; False if the rehearsal must stop after it."""
    gathered, stage, script = revision.gathered, revision.stage, revision.script
    subject = f"revision {script.revision}"
    try:
        revision.budget.check()
        stage.advance(_before(stage.run.project, script))
        reason = _unfit(revision.runs)
        if reason is not None:
            gathered.skipped += [Skipped(subject, reason)] if reason else []
            return True
        revision.rehearse()
    except LimitReached as limit:
        gathered.skipped.append(Skipped(subject, str(limit)))
    except (SettingsError, NothingRan):
        raise  # a file of the user's is wrong, and so it would be for every revision
    except PgPatternsError as error:
        gathered.skipped.append(Skipped(subject, f"it could not be rehearsed: {first_line(error)}"))
        # The databases may now be between two revisions, so none of the later ones can start there.
        return False
    except psycopg.Error as error:
        gathered.skipped.append(Skipped(subject, f"the server refused it: {first_line(error)}"))
    return True


def _unfit(runs: Sequence[RevisionRun]) -> str | None:
    """Why a revision is not rehearsed; empty if that is reported already."""
    if not runs or any(run.failure is not None for run in runs):
        return ""
    if any(statement.changes_roles for run in runs for statement in run.statements):
        return "it creates or drops roles, which belong to the whole server"
    return None


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a measurement at one size: ``seconds``; bytes before there were rows (``fixed``) and at most (``peak``)."""

    seconds: float
    fixed: int
    peak: int


@dataclass
class _Revision:
    """One revision's rehearsal. ``limit``: the flag that allowed the fewest rows."""

    stage: Stage
    script: Revision
    runs: Sequence[RevisionRun]
    options: Options
    budget: Budget
    gathered: Gathered
    limit: str = ""

    def rehearse(self) -> None:
        """A few rows, then many."""
        by_database = dict(zip(self.stage.names, self.runs, strict=False))
        lines = (self.script.upgrade_line, self.script.downgrade_line)
        if not any(touched(run) for run in self.runs):
            self.gathered.results += [_untouched(run) for run in self.runs]
            return
        self._say("a few rows in", "")
        again = all(run.downgrade is not None and run.downgrade.again is None for run in self.runs)
        undo = self.stage.run.settings.downgrade and all(_goes_back(run) for run in self.runs)
        trial = Trial(self.stage, self.script, by_database, lines)
        older = bool(self.stage.carried)
        result, filled = trial.run(lambda name, copy: self._fill_few(by_database[name], copy), undo, again)
        if result.failures and result.failures[0].way == "upgrade":
            # The revision fails on some rows that the schema allows. Try it on rows that it accepts, too.
            second, _ = trial.run(lambda name, copy: self._fill_few(by_database[name], copy, kind=True), undo, again)
            result = replace(result, failures=_distinct(result.failures + second.failures), lost=second.lost)
        self.gathered.rehearsed.append(result)
        self._note(filled)
        self._note_missing_rows(older)
        self._measure(by_database, lines[0])

    def _note_missing_rows(self, older: bool) -> None:
        """Rows that are made here satisfy a constraint that is NOT VALID; those of production may not."""
        # Dropped after the proof, as by SET NOT NULL, or validated. Without reading rows it is only dropped.
        reading = [run for run in self.runs if any(statement.work for statement in run.statements)]
        names = {name for run in reading for name in unvalidated(run.before) - unvalidated(run.after)}
        if names and not older:
            subject = f"revision {self.script.revision} on rows that are older than {', '.join(sorted(names))}"
            reason = "a revision before adds it NOT VALID: name that revision and those between, too"
            self.gathered.skipped.append(Skipped(subject, reason))

    def _measure(self, by_database: Mapping[str, RevisionRun], line: int) -> None:
        sizes = {name: self._sizes(run) for name, run in by_database.items()}
        measured: dict[str, list[tuple[int, Measurement]]] = {name: [] for name in sizes}
        expected = most = max(self._most(item) for item in sizes.values())
        cost: Cost | None = Cost(0.0, 0, 0)
        if most // SMALL > PILOT:
            cost = self._at(PILOT, sizes, {name: [] for name in sizes}, line, 1)
            most = self._affordable(PILOT, most, cost) if cost is not None else 0
        small = max(1, most // SMALL)
        cost = self._at(small, sizes, measured, line, REPEATS) if cost is not None else None
        if cost is not None:
            most = self._affordable(small, most, cost)
            if most <= small or self._fits(most, sizes, measured, line):
                self._fewer(expected, max(most, small))
        for name, run in by_database.items():
            if measured[name]:
                self.gathered.results.append(result_of(run, sizes[name], measured[name]))

    def _fits(
        self, rows: int, sizes: Mapping[str, Sizes], measured: dict[str, list[tuple[int, Measurement]]], line: int
    ) -> bool:
        """Measure at the largest size. A limit that it reaches leaves what was measured at the smaller one."""
        try:
            self._at(rows, sizes, measured, line, 1)
        except LimitReached as limit:
            subject = f"revision {self.script.revision} with {rows:,} rows"
            self.gathered.skipped.append(Skipped(subject, str(limit), expected=True))
            return False
        return True

    def _sizes(self, run: RevisionRun) -> Sizes:
        production = {name: round(item.rows) for name, item in self._statistics(run).sizes.items()}
        counts = {name: rows for name, rows in production.items() if run.before.table(name) is not None}
        return Sizes(run.before, counts, touched(run), self.options.rows)

    def _statistics(self, run: RevisionRun) -> Statistics:
        stats = self.stage.run.settings.stats
        if stats is None:
            return Statistics()
        try:
            return read_statistics(self.stage.run.settings.path(stats), run.before)
        except PgPatternsError as error:
            raise SettingsError(str(error)) from error

    def _shapes(self, run: RevisionRun) -> dict[tuple[Name, str], ColumnShape]:
        return {
            place: ColumnShape(facts.null_frac, facts.n_distinct, facts.frequencies, facts.correlation or 0.0)
            for place, facts in self._statistics(run).columns.items()
        }

    def _most(self, sizes: Sizes) -> int:
        return min(sizes.most, sizes.largest) if sizes.largest else sizes.most

    def _at(
        self,
        rows: int,
        sizes: Mapping[str, Sizes],
        measured: dict[str, list[tuple[int, Measurement]]],
        line: int,
        times: int,
    ) -> Cost | None:
        """Measure at one size. Returns what it took; None if the revision failed."""
        before = self.budget.left
        with self.stage.copied() as filled:
            fixed = self.stage.watch.restart(self.stage.everything)
            self._say("rows in", f"{rows:,}")
            results = {name: self._fill_many(item, rows, filled[name]) for name, item in sizes.items()}
            self._note(results.values())
            for number in range(times):
                self.budget.check()
                self._say("running it under load on", f"{rows:,} rows")
                with self._place(filled, last=number == times - 1) as copies:
                    tables = {name: item.touched for name, item in sizes.items()}
                    counts = {name: results[name].rows for name in sizes}
                    measurements, outcome = measure(self.stage, self.script, line, copies, tables, counts)
                if outcome.failure is not None:
                    self._failed(message_of(outcome.failure), outcome.place)
                    return None
                for name, item in measurements.items():
                    measured[name].append((rows, item))
        return Cost(before - self.budget.left, fixed, self.stage.watch.peak)

    def _place(self, filled: dict[str, str], last: bool) -> Any:
        # A copy takes as long as the database is large. After the last run nothing needs the original.
        return _Same(filled) if last else self.stage.copied(filled)

    def _affordable(self, small: int, most: int, cost: Cost) -> int:
        """As many rows as time and disk allow, if both grow with the rows."""
        by_time = small * self.budget.share / max(cost.seconds, 0.1)
        by_disk = small * max(0, self.stage.watch.disk - cost.fixed) / max(cost.peak - cost.fixed, 1)
        self.limit = "--budget" if by_time < by_disk else "--disk"
        return int(min(most, by_time, by_disk))

    def _fewer(self, expected: int, most: int) -> None:
        """Say that a limit allowed fewer rows."""
        if most < expected:
            subject = f"revision {self.script.revision} with {expected:,} rows"
            self.gathered.skipped.append(Skipped(subject, f"{self.limit} allows {most:,}", expected=True))

    def _fill_few(self, run: RevisionRun, copy: str, kind: bool = False) -> Filled:
        names = {table.name for table in touched(run)}
        schema = merged(run.before, run.after) if kind else run.before
        like = expected_types(run.before, run.after)
        request = Request(dict.fromkeys(names, FEW), others=FEW // 10, like=like, triggers=self.options.triggers)
        if self.stage.carried:
            # The copy has the rows of the revision before, and the user's own among them.
            return self._fill(copy, schema, replace(request, keep_filled=True))
        return self._fill_with_own(copy, schema, request)

    def _fill_many(self, sizes: Sizes, rows: int, copy: str) -> Filled:
        run = next(run for run in self.runs if run.before is sizes.schema)
        like = expected_types(run.before, run.after)
        request = Request(sizes.rows(rows), shapes=self._shapes(run), like=like, triggers=self.options.triggers)
        return self._fill_with_own(copy, merged(run.before, run.after), request)

    def _fill_with_own(self, copy: str, schema: Schema, request: Request) -> Filled:
        """The user's own rows first, if there are any: then their tables get no others."""
        if self.options.seed is not None:
            with self.stage.run.server.connect(copy) as connection:
                _own_rows(connection, self.options)
            request = replace(request, keep_filled=True)
        return self._fill(copy, schema, request)

    def _fill(self, copy: str, schema: Schema, request: Request) -> Filled:
        with self.stage.run.server.connect(copy) as connection:
            watch = self.stage.watch
            # It only remembers a limit here: a connection that it ended would look like a table without rows.
            with watch.over(self.stage.everything, end=False):
                return fill(connection, schema, request, lambda table, done, total: watch.check())

    def _note(self, filled: Any) -> None:
        names = {table.name for run in self.runs for table in touched(run)}
        for item in filled:
            for unfilled in item.unfilled:
                self.gathered.unfilled.setdefault(unfilled.table, unfilled)
                if unfilled.table in names:
                    # On an empty table nothing fails and nobody waits, which says nothing about production.
                    subject = f"revision {self.script.revision} on rows of {unfilled.table}"
                    self.gathered.unrehearsed.setdefault(subject, Skipped(subject, unfilled.reason))

    def _failed(self, message: str, place: Location) -> None:
        last = self.gathered.rehearsed[-1]
        failures = _distinct((*last.failures, RowFailure("upgrade", message, place)))
        self.gathered.rehearsed[-1] = replace(last, failures=failures)

    def _say(self, step: str, rows: str) -> None:
        self.stage.run.progress.say(f"{self.script.revision}: {step} {rows}".rstrip())


class _Same:
    """The databases themselves, for the last run in them."""

    def __init__(self, databases: dict[str, str]) -> None:
        self._databases = databases

    def __enter__(self) -> dict[str, str]:
        return self._databases

    def __exit__(self, *exc: object) -> None:
        return None


def _distinct(failures: Sequence[RowFailure]) -> tuple[RowFailure, ...]:
    """Each place and kind once: another row that fails there is the same mistake."""
    return tuple({(item.way, item.location): item for item in reversed(failures)}.values())[::-1]


def _goes_back(run: RevisionRun) -> bool:
    way = run.downgrade
    return way is not None and not way.declared and way.failure is None and way.skipped is None


def _untouched(run: RevisionRun) -> RevisionResult:
    return RevisionResult(run.revision, run.path, run.database, note="touches no table that existed before")


def _own_rows(connection: Any, options: Options) -> None:
    assert options.seed is not None
    try:
        connection.execute(rows_text(options.seed).encode())
    except psycopg.Error as error:
        raise SettingsError(f"{options.seed}: the rows could not be inserted: {error}") from error
