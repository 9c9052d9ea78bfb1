"""The check of a live database: compare it with models and head, and check how it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.checks import live_connection as live
from alembic_pgpatterns.checks.live_connection import Live
from alembic_pgpatterns.checks.placed import placed
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.head_schema import DatabaseAtHead, Head, enriched
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project, with_true_history
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.findings.application import read_application, with_evidence
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.findings.run_patterns import (
    Results,
    run_patterns,
    run_server_patterns,
    suppressed,
    without_excluded,
)
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.patterns import SchemaPattern, ServerPattern
from alembic_pgpatterns.schema.live import LiveServer


def check_live(project: Project, settings: Settings, progress: Progress, url: str | None = None) -> Report:
    """Upgrade the project to head on the throw-away server, read the live database, and check the latter.

    Args:
        project: its revisions and models say what should exist.
        settings: of the project.
        progress: shows what is going on.
        url: of the live database; None is the one that env.py connects to.

    Raises:
        PgPatternsError: the check could not be done; the message says what to do.
    """
    return with_true_history(lambda: _check_live(project, settings, progress, url))


def _check_live(project: Project, settings: Settings, progress: Progress, url: str | None) -> Report:
    baseline = Baseline.read(settings.path(settings.baseline))
    gathered = Gathered(kinds=(SchemaPattern, ServerPattern), fixable=False)
    databases: list[Live] = []
    progress.say("reading the revisions")
    run = Run(project, settings, progress, cache=HistoryCache.open(project, settings))
    with run.at_head() as head:
        evidence = read_application(settings, [database.schema for database in head.databases])
        for database in head.databases:
            target = _address(head, database, settings, url)
            progress.say(f"reading {live.shown(target)}")
            databases.append(live.read(target, database.database.version_tables))
            results = _results(databases[-1], head, database, run, evidence)
            unsuppressed = [placed(finding, database) for finding in results.findings if not suppressed(finding)]
            gathered.findings += [finding for finding in unsuppressed if not finding.guess]
            gathered.guesses += [finding for finding in unsuppressed if finding.guess]
            gathered.suppressed += len(results.findings) - len(unsuppressed)
            gathered.skipped += results.skipped
    gathered.skipped[:0] = head.skipped
    gathered.hints += head.hints
    gathered.facts, gathered.heads = _facts(databases, head), head.heads
    return Report.of(gathered, baseline, settings)


def _address(head: Head, database: DatabaseAtHead, settings: Settings, url: str | None) -> dict[str, str]:
    if url is None:
        return dict(live.address(database.database, settings))
    if len(head.databases) > 1:
        names = ", ".join(item.label for item in head.databases)
        raise PgPatternsError(
            f"The project has several databases ({names}), and --live URL names only one. Leave the URL out: then each "
            "is read where env.py connects to."
        )
    return live.parameters(url)


def _results(live_database: Live, head: Head, database: DatabaseAtHead, run: Run, evidence: Evidence | None) -> Results:
    """The schema patterns on the live schema (on head where that could not be read), and the server patterns."""
    server, expected, settings = live_database.server, database.schema, run.settings
    schema = enriched(server.schema, database.models) if server.schema is not None else None
    elsewhere = _elsewhere(live_database, head, run.project)
    unread = {**server.unread, **({"revision": elsewhere} if elsewhere else {})}
    server = replace(
        server,
        schema=without_excluded(schema, settings) if schema is not None else None,
        head=without_excluded(expected, settings),
        unread=unread,
    )
    looked_at = schema if schema is not None else expected
    settings = replace(settings, target_version=settings.target_version or server.version // 10000)
    of_schema = run_patterns(with_evidence(looked_at, evidence), settings)
    of_server = run_server_patterns(server, settings)
    skipped = (*of_schema.skipped, *of_server.skipped, *_unread(server))
    return Results((*of_schema.findings, *of_server.findings), skipped)


def _elsewhere(live_database: Live, head: Head, project: Project) -> str | None:
    """Why the live database is not at head, or None if it is."""
    if live_database.versions is None:
        return f"the revision of the live database is not known: {live_database.version_reason}"
    if not head.databases[0].database.version_tables or set(live_database.versions) == set(head.heads):
        return None
    position = ", ".join(live_database.versions) or "no revision"
    pending = set(head.heads) - project.ancestors(live_database.versions)
    if not pending:
        heads = ", ".join(head.heads)
        return f"the live database is at {position}, which is not where the project's history ends ({heads})"
    missing = project.ancestors(head.heads) - project.ancestors(live_database.versions)
    pending_revisions = counted(len(missing), "revisions are pending", "revision is pending")
    return f"the live database is at {position}: {pending_revisions}, up to {', '.join(head.heads)}"


def _unread(server: LiveServer) -> Iterator[Skipped]:
    for part in ("schema", "statistics"):
        if part in server.unread:
            yield Skipped(f"the live {part}", server.unread[part])
            break
    for part, reason in server.partial.items():
        yield Skipped(f"part of the {part}", reason)


def _facts(databases: list[Live], head: Head) -> dict[str, object]:
    schemas = [item.server.schema for item in databases if item.server.schema is not None]
    version, places = databases[0].server.version, ", ".join(item.place for item in databases)
    return {
        **head.facts,
        "tables": sum(len(schema.tables) for schema in schemas),
        "server": f"PostgreSQL {version // 10000}.{version % 10000} at {places} (live)",
    }
