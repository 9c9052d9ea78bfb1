"""The target: what the schema shall be, as effective metadata made from models, settings and baseline.

Alembic's own comparators compare with it. So everything converges: once the revision is applied, the next autogenerate
is empty, although the models still say ``String(255)`` and declare no index. It depends on files alone, never on the
database, so two developers get the same revision.
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
from alembic_pgpatterns.schema.sql import sqltext

ROUNDS = 10
DEFAULT_SCHEMA = "public"


@dataclass(frozen=True, slots=True)
class Applied:
    """A remedy that was applied, and the objects of the copy that it added or changed."""

    finding: Finding
    objects: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The effective metadata, and how it differs from the models."""

    copy: Copy
    declared: Schema
    """The schema that the application's own models declare."""
    applied: tuple[Applied, ...] = ()
    described: tuple[Finding, ...] = ()
    """Findings of enforced patterns whose remedy only a person can carry out."""

    @property
    def metadata(self) -> MetaData:
        """The effective metadata."""
        return self.copy.metadata


Accepts = Callable[[Finding], bool]


def build_target(
    metadata: MetaData | Sequence[MetaData],
    settings: Settings,
    accepts: Accepts,
    allowed: Callable[[Finding], bool] = lambda finding: True,
) -> Target:
    """Copy the metadata and apply the remedies of enforced patterns until they find nothing more.

    Args:
        metadata: the application's. It is not changed.
        settings: which patterns are enforced.
        accepts: whether the project accepts a finding.
        allowed: whether the user's name filters let the remedy converge.

    Raises:
        PgPatternsError: findings remain after ten rounds. The message names the patterns.
    """
    originals = [metadata] if isinstance(metadata, MetaData) else list(metadata)
    copy = copied(originals)
    declared = models.read(originals, sqltext, default_schema=DEFAULT_SCHEMA)
    patterns = [p for p in schema_patterns(settings) if p.action is Action.ENFORCE]
    applied: list[Applied] = []
    for _ in range(ROUNDS):
        findings = detect(copy.metadata, declared, patterns, settings)
        open_findings = [finding for finding in findings if not accepts(finding) and allowed(finding)]
        changed = [(finding, _objects(finding, copy.metadata)) for finding in open_findings]
        applied += [Applied(finding, objects) for finding, objects in changed if objects]
        if not any(objects for _, objects in changed):
            return Target(copy, declared, tuple(applied), tuple(f for f, objects in changed if objects is None))
    names = ", ".join(sorted({finding.pattern for finding in open_findings}))
    raise PgPatternsError(
        f"The patterns {names} still find something after {ROUNDS} rounds of their remedies: they contradict each "
        'other on these models. Set the action of one of them to "report".'
    )


def _objects(finding: Finding, metadata: MetaData) -> tuple[object, ...] | None:
    return apply(finding.remedy, metadata, DEFAULT_SCHEMA) if finding.remedy is not None else None


def schema_patterns(settings: Settings) -> list[SchemaPattern]:
    """Return the selected patterns that need nothing but models."""
    chosen = settings.chosen((SchemaPattern,))
    return [p for p in chosen if isinstance(p, SchemaPattern) and p.needs is not Needs.DATABASE]


def detect(
    metadata: MetaData, declared: Schema, patterns: Sequence[SchemaPattern], settings: Settings
) -> list[Finding]:
    """Return the findings of some patterns, without those that the models suppress.

    Args:
        metadata: the copy, as far as it has been changed.
        declared: the application's own models, which know the lines of declarations.
        patterns: what to look for.
        settings: which tables are left out.
    """
    version = settings.target_version
    schema = models.read(metadata, sqltext, default_schema=DEFAULT_SCHEMA, target_version=version, located=False)
    schema = without_excluded(overlay(schema, declared), settings)
    findings: list[Any] = [finding for pattern in patterns for finding in run_pattern(pattern, schema)]
    return [finding for finding in unique(findings) if not suppressed(finding)]
