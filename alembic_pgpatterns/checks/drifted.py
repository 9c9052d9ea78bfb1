"""Findings about the head that the models cure already: model-drift says that their revision is missing."""

from __future__ import annotations

from dataclasses import dataclass

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.report_model import Gathered
from alembic_pgpatterns.findings.run_patterns import run_patterns
from alembic_pgpatterns.patterns import Finding, SchemaPattern, Severity, registry
from alembic_pgpatterns.revisions.model import Drift
from alembic_pgpatterns.schema.model import Schema


@dataclass(frozen=True)
class Compared:
    """The differences, and the schema that the models alone create; None if it is not what they say as written."""

    drifts: tuple[Drift, ...]
    created: Schema | None


def drop_of_drift(gathered: Gathered, compared: Compared, settings: Settings, label: str) -> None:
    """Take out of ``gathered`` what the models as they are written do not have, where their drift is reported.

    To declare the index that a model declares, or to make the column NOT NULL that is so in the model, is no advice.
    Errors stay: the drift is a warning only.

    Args:
        gathered: with the findings about the head.
        compared: the drift of a database, and the schema that its models create.
        settings: which patterns are selected.
        label: the database's name in findings; empty if there is only one.
    """
    if compared.created is None:
        return
    drifted = {drift.table for drift in compared.drifts if not drift.harmless}
    created = {table.name for table in compared.created.tables}
    if not any(item.table in drifted & created for item in gathered.findings):
        return
    suffix = f" @{label}" if label else ""
    of_models = {f"{item.fingerprint}{suffix}" for item in run_patterns(compared.created, settings).findings}

    def is_cured(finding: Finding) -> bool:
        cls = registry().get(finding.pattern)
        of_database = finding.fingerprint.endswith(suffix)
        about_schema = cls is not None and issubclass(cls, SchemaPattern) and of_database
        return (
            about_schema
            and finding.severity < Severity.ERROR
            and finding.table in drifted & created
            and finding.fingerprint not in of_models
        )

    gathered.findings = [item for item in gathered.findings if not is_cured(item)]
    gathered.guesses = [item for item in gathered.guesses if not is_cured(item)]
