"""The indexes that the advisor chooses for the recorded workload, as findings that ``pgfix`` can carry out."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.advisor.advise import Advisor
from alembic_pgpatterns.advisor.model import AdvisedIndex, Options
from alembic_pgpatterns.advisor.statistics import statistics_of
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.scratch_databases import disconnect
from alembic_pgpatterns.findings.suppressions import apply_suppressions
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import Sender
from alembic_pgpatterns.patterns.statements.statement_without_index import StatementWithoutIndex
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.model import Location, Schema
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.workload.imports import read_workloads

SHOWN = 2
"""Statements of an index that its finding names."""


def advised(run: RunContext, server: Server, database: str, schema: Schema) -> list[Finding]:
    """A finding of statement-without-index per index that the workload of the settings needs; the best first.

    Args:
        run: of the project; without the setting ``workload``, or without the pattern, there is nothing to advise.
        server: on which the project is at head.
        database: of the project; what is connected to it is disconnected.
        schema: of the database.

    Raises:
        PgPatternsError: the workload or the sizes cannot be read, or the server refuses to plan.
    """
    settings = run.settings
    pattern = next(
        (p for p in chosen_patterns(settings, (StatementPattern,)) if isinstance(p, StatementWithoutIndex)), None
    )
    if pattern is None or settings.workload is None:
        return []
    run.progress.say("choosing indexes for the workload")
    workload = read_workloads([settings.path(settings.workload)]).of_application()
    statistics = statistics_of(settings.path(settings.stats) if settings.stats else None, schema)
    # PostgreSQL copies no database that somebody is connected to (CREATE DATABASE … TEMPLATE).
    disconnect(server, database)
    advice = Advisor(server, schema, statistics, run.progress.say).advise(database, workload, Options())
    findings = [_finding(pattern, item, advice.sizes[item.index.table].rows) for item in advice.indexes]
    paths = [finding.location.path for finding in findings if finding.location is not None]
    reported = apply_suppressions(findings, paths, frozenset()).findings
    return [finding.but(location=_declared(finding, schema)) for finding in reported]


def _declared(finding: Finding, schema: Schema) -> Location | None:
    """Where the model is, which is what gets the index; the message names the line that sends the statement."""
    table = schema.table(finding.table) if finding.table is not None else None
    return table.origin.location if table is not None else None


def is_there(finding: Finding, schema: Schema) -> bool:
    """Whether the schema has the index that a finding of `advised` asks for."""
    remedy = finding.remedy
    table = schema.table(remedy.table) if isinstance(remedy, CreateIndex) else None
    name = index_name(remedy) if isinstance(remedy, CreateIndex) else ""
    return table is not None and any(index.name.name == name for index in table.indexes)


def _finding(pattern: StatementPattern, item: AdvisedIndex, rows: float) -> Finding:
    table = item.index.table
    columns = ", ".join(str(key.column or key.expression) for key in item.index.keys)
    where = f" where {item.index.where}" if item.index.where else ""
    at = Sender(f"{table.name}({columns}){where}", item.benefits[0].statement.site)
    message = f"no index of {table.name} serves {columns}{where}; at {rows:,.0f} rows {'; '.join(_evidence(item))}"
    return pattern.finding(at, message, item.index).but(table=table)


def _evidence(item: AdvisedIndex) -> Iterator[str]:
    for benefit in item.benefits[:SHOWN]:
        place = benefit.statement.site or "a statement"
        yield f"{place} costs {benefit.cost_before:,.0f} without it and {benefit.cost_after:,.0f} with it"
    if len(item.benefits) > SHOWN:
        yield f"{counted(len(item.benefits) - SHOWN, 'more statements use it', 'more statement uses it')}"
