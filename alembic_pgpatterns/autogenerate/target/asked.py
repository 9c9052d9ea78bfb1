"""Indexes that the application's statements need, recorded or read in its source, as findings for suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.patterns.statements.statement_without_index import StatementWithoutIndex
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.from_source import workload_of
from alembic_pgpatterns.workload.imports import read_workloads
from alembic_pgpatterns.workload.model import Workload


def unserved(schema: Schema, evidence: Evidence | None, settings: Settings) -> list[Finding]:
    """A finding per index that a statement needs and the schema does not have.

    Args:
        schema: with all that the revision brings.
        evidence: the queries in the application's source; they count only if the settings name no ``workload``.
        settings: selected patterns, and the recorded workload.

    Raises:
        PgPatternsError: the workload cannot be read.
    """
    patterns = [
        item
        for item in chosen_patterns(settings, (StatementPattern,))
        if isinstance(item, QueryWithoutIndex | StatementWithoutIndex)
    ]
    if not patterns:
        return []
    if settings.workload is not None:
        workload = read_workloads([settings.path(settings.workload)]).of_application()
    else:
        workload = workload_of(evidence) if evidence is not None else Workload()
    # A guess is no line of a revision.
    return [finding for pattern in patterns for finding in pattern.detect(workload, schema) if not finding.guess]


def without_repetition(findings: Iterable[Finding], others: Iterable[Finding]) -> list[Finding]:
    """Those that ask for an index that begins otherwise than all that others ask for."""
    taken = {_begins(finding) for finding in others}
    return [finding for finding in findings if _begins(finding) not in taken]


def _begins(finding: Finding) -> object:
    remedy = finding.remedy
    return (remedy.table, remedy.keys[0]) if isinstance(remedy, CreateIndex) else finding.fingerprint
