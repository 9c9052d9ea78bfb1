"""Add its place to a finding: the line in the models, the revision, the database."""

from __future__ import annotations

from alembic_pgpatterns.controller.head_schema import DatabaseAtHead
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.schema.model import NO_ORIGIN


def placed(finding: Finding, database: DatabaseAtHead) -> Finding:
    """The finding with the line in the models, its revision, and the database's name if there are several.

    Args:
        finding: from a pattern.
        database: the database that it is about.
    """
    table = database.schema.table(finding.table) if finding.table is not None else None
    origin = table.origin if table is not None else NO_ORIGIN
    revision = database.blame.revision(finding.at, finding.table) if database.blame is not None else None
    result = finding.but(location=finding.location or origin.location, revision=finding.revision or revision)
    if database.label:
        label = database.label
        result = result.but(object=f"{label}: {finding.object}", fingerprint=f"{finding.fingerprint} @{label}")
    return result
