"""The destination: WHAT the schema shall be, as effective metadata made of models, settings and baseline.

Alembic's own comparators then compare with it, so that everything converges: after the revision is applied the next
autogenerate is empty, although the models still say ``String(255)`` and declare no index. It is a function of files
alone, never of the database: two developers get the same revision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData

from alembic_pgpatterns.autogenerate.target.metadata_copy import Copy, copied
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.run_patterns import run_pattern, suppressed, unique, without_excluded
from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.schema.metadata import reader as models
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.overlay import overlay

ROUNDS = 10
DEFAULT_SCHEMA = "public"


@dataclass(frozen=True, slots=True)
class Applied:
    """One remedy that was applied, and the objects of the copy that it added or changed."""

    finding: Finding
    objects: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Destination:
    """The effective metadata, and how it differs from the models."""

    copy: Copy
    known: Schema
    """The application's own models, read."""
    applied: tuple[Applied, ...] = ()
    described: tuple[Finding, ...] = ()
    """Enforced, but with a remedy that only a person can carry out."""

    @property
    def metadata(self) -> MetaData:
        """The effective metadata."""
        return self.copy.metadata


Accepts = Callable[[Finding], bool]


def destination(
    metadata: MetaData | Sequence[MetaData],
    settings: Settings,
    accepts: Accepts,
    allowed: Callable[[Finding], bool] = lambda finding: True,
) -> Destination:
    """Copy the metadata and apply the remedies of enforced patterns until they are silent.

    Args:
        metadata: the application's; it is not changed.
        settings: which patterns are enforced.
        accepts: findings that the project lives with.
        allowed: the user's name filters, for what would never converge.

    Raises:
        PgPatternsError: still not silent after ten rounds; the message names the patterns.
    """
    originals = [metadata] if isinstance(metadata, MetaData) else list(metadata)
    copy = copied(originals)
    known = models.read(originals, default_schema=DEFAULT_SCHEMA)
    patterns = [p for p in schema_patterns(settings) if p.action is Action.ENFORCE]
    applied: list[Applied] = []
    for _ in range(ROUNDS):
        found = detect(copy.metadata, known, patterns, settings)
        wanted = [finding for finding in found if not accepts(finding) and allowed(finding)]
        made = [(finding, _objects(finding, copy.metadata)) for finding in wanted]
        applied += [Applied(finding, objects) for finding, objects in made if objects]
        if not any(objects for _, objects in made):
            return Destination(copy, known, tuple(applied), tuple(f for f, objects in made if objects is None))
    names = ", ".join(sorted({finding.pattern for finding in wanted}))
    raise PgPatternsError(
        f"The patterns {names} are still not silent after {ROUNDS} rounds of their remedies: they contradict each "
        'other on these models. Set the action of one of them to "report".'
    )


def _objects(finding: Finding, metadata: MetaData) -> tuple[object, ...] | None:
    return apply(finding.remedy, metadata, DEFAULT_SCHEMA) if finding.remedy is not None else None


def schema_patterns(settings: Settings) -> list[SchemaPattern]:
    """The selected patterns that can tell from models."""
    chosen = settings.chosen((SchemaPattern,))
    return [p for p in chosen if isinstance(p, SchemaPattern) and p.needs is not Needs.DATABASE]


def detect(metadata: MetaData, known: Schema, patterns: Sequence[SchemaPattern], settings: Settings) -> list[Finding]:
    """The findings of some patterns, without those that the models suppress.

    Args:
        metadata: the copy, as it is by now.
        known: the application's own, for what the copy cannot tell: where things are declared.
        patterns: what to look for.
        settings: which tables are left out.
    """
    version = settings.target_version
    schema = models.read(metadata, default_schema=DEFAULT_SCHEMA, target_version=version, located=False)
    schema = without_excluded(overlay(schema, known), settings)
    found: list[Any] = [finding for pattern in patterns for finding in run_pattern(pattern, schema)]
    return [finding for finding in unique(found) if not suppressed(finding)]
