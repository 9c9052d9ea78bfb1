"""Check a project: upgrade to head on a scratch database, read the schema, and run the patterns."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.checks.named import demand_references
from alembic_pgpatterns.checks.scope import to_trace
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.sense import NEWEST, OLDEST
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.config.written import settings_lines
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.tries import trying_ways
from alembic_pgpatterns.controller.ways import by_setting, hint
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.findings.skipped import FoundOut, Skipped
from alembic_pgpatterns.patterns import ServerPattern

_LATER = (
    "alembic_pgpatterns.schema.catalog.reader",
    "alembic_pgpatterns.checks.head",
    "alembic_pgpatterns.checks.revisions",
)
"""What is needed only when the project is at head, and takes a while to import."""


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
    project.load_while_waiting(*_LATER)
    demand_references(project, settings)
    baseline = Baseline.read(settings.path(settings.baseline))
    gathered = Gathered(fixable=not settings.create_all and settings.upgrade_command is None)
    progress.say("reading the revisions")
    cache = HistoryCache.open(project, settings)
    todo = to_trace(project, settings, baseline, cache)
    milestone = todo.before(project) or (cache.shared() if cache is not None else frozenset())
    run = Run(project, settings, progress, cache=cache)
    with run.at_head(milestone) as head:
        from alembic_pgpatterns.checks.head import gather_head, of_models
        from alembic_pgpatterns.checks.revisions import RevisionCheck

        progress.say("checking")
        gather_head(head, settings, gathered)
        adopted = baseline is not None or settings.adopt == "all"
        RevisionCheck(run).gather(todo, head, gathered, adopted)
        gathered.of_models = tuple(of_models(head, settings))
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
