"""A finding with its place: the line in the models, the revision, the database."""

from __future__ import annotations

from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.runner.head_schema import Head
from alembic_pgpatterns.schema.model import NO_ORIGIN


def placed(finding: Finding, head: Head, number: int) -> Finding:
    """The finding with the model's line, its revision, and the database's name if there are several.

    Args:
        finding: as a pattern made it.
        head: what was read.
        number: of the database in `head`.
    """
    schema, database = head.schemas[number], head.labels[number]
    table = schema.table(finding.table) if finding.table is not None else None
    origin = table.origin if table is not None else NO_ORIGIN
    result = finding.but(
        location=finding.location or origin.location, revision=finding.revision or head.revision(finding, number)
    )
    if database:
        result = result.but(object=f"{database}: {finding.object}", fingerprint=f"{finding.fingerprint} @{database}")
    return result
