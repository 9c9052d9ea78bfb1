"""Check a project: upgrade to head on a scratch database, read the schema, and run the patterns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.checks.named import demand_references
from alembic_pgpatterns.checks.placed import placed
from alembic_pgpatterns.checks.revisions import RevisionCheck, to_trace
from alembic_pgpatterns.checks.sizes import sized
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.sense import NEWEST, OLDEST
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.written import settings_lines
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.head_schema import Head
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.tries import trying_ways
from alembic_pgpatterns.controller.ways import by_setting, hint
from alembic_pgpatterns.evidence.model import Evidence, QueryShape
from alembic_pgpatterns.findings.application import read_application, unread, with_evidence
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.findings.run_patterns import run_pattern, run_patterns, suppressed, unique, without_excluded
from alembic_pgpatterns.findings.skipped import FoundOut, Skipped
from alembic_pgpatterns.findings.statements import gather_statements
from alembic_pgpatterns.findings.together import share_indexes
from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, ServerPattern
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.from_source import workload_of


def check(project: Project, settings: Settings, progress: Progress) -> Report:
    """Run the project's revisions on a throw-away server, and check schema, models and revisions.

    Args:
        project: the project.
        settings: what to check and how.
        progress: shows what is going on.

    Raises:
        PgPatternsError: the check could not be done; the message says what to do.
    """
    return trying_ways(project, settings, lambda settings: _check(project, settings, progress))


def _check(project: Project, settings: Settings, progress: Progress) -> Report:
    demand_references(project, settings)
    baseline = Baseline.read(settings.path(settings.baseline))
    gathered = Gathered(fixable=not settings.create_all and settings.upgrade_command is None)
    progress.say("reading the revisions")
    cache = HistoryCache.open(project, settings)
    todo = to_trace(project, settings, baseline, cache)
    milestone = todo.before(project) or (cache.shared() if cache is not None else frozenset())
    run = Run(project, settings, progress, cache=cache)
    with run.at_head(milestone) as head:
        progress.say("checking")
        _gather_head(head, gathered)
        _gather_schemas(head, settings, gathered)
        adopted = baseline is not None or settings.adopt == "all"
        RevisionCheck(run).gather(todo, head, gathered, adopted)
        gathered.of_models = tuple(_of_models(head, settings))
    if cache is not None and cache.reason is not None:
        gathered.hints.append(f"Nothing was cached, so the next run takes as long: {cache.reason}.")
    gathered.skipped += _not_live(settings)
    gathered.found_out = tuple(_found_out(project))
    gathered.hints = [*hint(project.ways, settings_lines), *gathered.hints, *_version_hint(settings)]
    return Report.of(gathered, baseline, settings)


def _found_out(project: Project) -> Iterator[FoundOut]:
    """What was given to the project without being asked for."""
    if project.section_note is not None:
        yield FoundOut(project.section_note)
    for setting, way in by_setting(project.ways).items():
        yield FoundOut(way.reason, setting, way.value)


def _gather_head(head: Head, gathered: Gathered) -> None:
    gathered.skipped += head.skipped
    gathered.hints += head.hints
    gathered.facts, gathered.heads = head.facts, head.heads
    gathered.schemas = tuple((database.label, database.schema) for database in head.databases)


def _gather_schemas(head: Head, settings: Settings, gathered: Gathered) -> None:
    evidence = read_application(settings, [database.schema for database in head.databases])
    gathered.skipped += unread(evidence)
    for database in head.databases:
        schema = sized(database.schema, settings)
        results = run_patterns(with_evidence(schema, evidence), settings)
        before = len(gathered.findings)
        remaining = [placed(finding, database) for finding in results.findings if not suppressed(finding)]
        gathered.findings += [finding for finding in remaining if not finding.guess]
        gathered.guesses += [finding for finding in remaining if finding.guess]
        gathered.suppressed += len(results.findings) - len(remaining)
        gathered.skipped += results.skipped
        _gather_statements(evidence, schema, settings, gathered)
        gathered.findings[before:] = share_indexes(gathered.findings[before:])


def _gather_statements(evidence: Evidence | None, schema: Schema, settings: Settings, gathered: Gathered) -> None:
    """What the application asks, as it was recorded; else the queries that stand in its source."""
    if settings.workload is not None:
        from alembic_pgpatterns.workload.imports import read_workloads

        gather_statements(read_workloads([settings.path(settings.workload)]), settings, schema, gathered)
    elif evidence is not None:
        shapes = (shape for shape in evidence.shapes if shape.complete and shape.alone and not _clears_away(shape))
        understood = replace(evidence, shapes=tuple(shapes))
        gather_statements(workload_of(understood), settings, schema, gathered)
        reported = {item.fingerprint for item in (*gathered.findings, *gathered.guesses)}
        gathered.guesses += _of_parts(evidence, schema, settings, reported)


def _clears_away(shape: QueryShape) -> bool:
    """Whether it deletes what is old. That runs once a day, and each INSERT would pay for its index."""
    return shape.command == "delete" and bool(shape.ranges) and not shape.equal


def _of_parts(evidence: Evidence, schema: Schema, settings: Settings, reported: set[str]) -> list[Finding]:
    """What the rest of the queries says: one of two tables, or understood in part, may come to its rows by an index."""
    partly = Gathered()
    gather_statements(workload_of(evidence), settings, schema, partly)
    parts = (*partly.findings, *partly.guesses)
    return [item.but(guess=True) for item in parts if item.fingerprint not in reported]


def _of_models(head: Head, settings: Settings) -> Iterator[str]:
    """Fingerprints of what is enforced on the models, which may contain more than the database."""
    enforced = [pattern for pattern in chosen_patterns(settings, (SchemaPattern,)) if pattern.action is Action.ENFORCE]
    for database in head.databases:
        models, label = database.models, database.label
        for pattern in enforced if models is not None else ():
            assert isinstance(pattern, SchemaPattern) and models is not None
            if pattern.needs is not Needs.DATABASE:
                findings = unique(run_pattern(pattern, without_excluded(models, settings)))
                names = [finding.fingerprint for finding in findings if not suppressed(finding)]
                yield from (f"{name} @{label}" if label else name for name in names)


def _version_hint(settings: Settings) -> Iterator[str]:
    """Which version remedies are for, if nothing says what production runs."""
    if settings.for_server(NEWEST).target_version is None:
        yield (
            f"No target_version is set, so nothing is proposed that needs more than PostgreSQL {OLDEST}: "
            "say which version production runs."
        )


def _not_live(settings: Settings) -> Iterator[Skipped]:
    """A new server shows nothing about one in use."""
    if chosen_patterns(settings, (ServerPattern,)):
        reason = "they run with alembic pgcheck --live"
        yield Skipped("patterns about the production server", reason, expected=True, routine=True)
