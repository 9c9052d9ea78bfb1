"""Advice on a project's indexes: upgrade it to head on a scratch server, and plan its workload at production's size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic_pgpatterns.advisor.advise import Advisor
from alembic_pgpatterns.advisor.model import Options
from alembic_pgpatterns.advisor.statistics import statistics_of, with_rows
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.checks.statistics_export import live_workload
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.head_schema import DatabaseAtHead, Head
from alembic_pgpatterns.controller.progress import Progress
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.controller.scratch_databases import disconnect
from alembic_pgpatterns.controller.tries import trying_ways
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.application import read_application
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Gathered, Report
from alembic_pgpatterns.findings.statements import gather_statements
from alembic_pgpatterns.patterns import StatementPattern
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.patterns.statements.statement_without_index import StatementWithoutIndex
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.from_source import workload_of
from alembic_pgpatterns.workload.imports import read_workloads
from alembic_pgpatterns.workload.model import Workload, merged

_SUPERSEDED = frozenset({StatementWithoutIndex.name, QueryWithoutIndex.name})


def advise(
    project: Project, settings: Settings, progress: Progress, workloads: Sequence[str], options: Options
) -> AdviceReport:
    """The indexes that a workload needs, and the problems of its statements.

    Args:
        project: the project.
        settings: of the project; ``stats`` names the file of sizes.
        progress: shows what is going on.
        workloads: recordings, imports and URLs of live databases, read as one workload.
        options: what the user asked for.

    Raises:
        PgPatternsError: a file cannot be read, or the project cannot be upgraded to head.
    """
    progress.say("reading the workload")
    recorded = _workload(workloads, progress) if workloads else None
    if recorded is not None and not recorded.statements:
        raise PgPatternsError(
            f"{', '.join(workloads)}: no statement was recorded. Only statements in the bodies of tests that reach "
            "PostgreSQL through SQLAlchemy are recorded, not those of fixtures."
        )
    return trying_ways(project, settings, lambda settings: _advise(Run(project, settings, progress), recorded, options))


def _advise(run: Run, recorded: Workload | None, options: Options) -> AdviceReport:
    project, settings, progress = run.project, run.settings, run.progress
    run = Run(project, settings, progress, cache=HistoryCache.open(project, settings))
    with run.at_head() as head:
        database = _database(head)
        workload = recorded or source_workload(settings, database.schema)
        statistics = statistics_of(settings.path(settings.stats) if settings.stats else None, database.schema)
        # PostgreSQL copies no database that somebody is connected to (CREATE DATABASE … TEMPLATE).
        disconnect(head.server, database.database.name)
        advisor = Advisor(head.server, database.schema, statistics, progress.say)
        advice = advisor.advise(database.database.name, workload.of_application(), options)
        progress.say("checking the statements")
        report = _report(workload, settings, head, with_rows(database.schema, advice.sizes))
    return AdviceReport(workload, advice, report)


def source_workload(settings: Settings, schema: Schema) -> Workload:
    """The queries in the application's source. No code of it is imported.

    Raises:
        PgPatternsError: there is no query.
    """
    evidence = read_application(settings, [schema], always=True)
    workload = workload_of(evidence, whole=True) if evidence is not None else Workload()
    if not workload.statements:
        raise PgPatternsError(
            "no SQLAlchemy query was found in the application's source (setting `source`; by default the folder of "
            f"the settings, {settings.root}). Name a recording: --workload FILE."
        )
    return workload


def _workload(names: Sequence[str], progress: Progress) -> Workload:
    """Files and folders by their names; a name that looks like a URL is a live database with pg_stat_statements."""
    urls = [name for name in names if "://" in name]
    paths = [Path(name) for name in names if name not in urls]
    return merged([*([read_workloads(paths, progress.say)] if paths else []), *map(live_workload, urls)])


def _database(head: Head) -> DatabaseAtHead:
    """The database that the advice is for: if there are several, the one with the most tables."""
    return max(head.databases, key=lambda database: len(database.schema.tables))


def _report(workload: Workload, settings: Settings, head: Head, schema: Schema) -> Report:
    gathered = Gathered(kinds=(StatementPattern,), heads=head.heads, facts=head.facts)
    gathered.skipped += head.skipped
    gather_statements(workload, settings, schema, gathered)
    # The advice says it better: for all statements at once.
    gathered.findings = [item for item in gathered.findings if item.pattern not in _SUPERSEDED]
    return Report.of(gathered, Baseline.read(settings.path(settings.baseline)), settings)
