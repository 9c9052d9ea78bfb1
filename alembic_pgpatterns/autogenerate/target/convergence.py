"""Apply the remedies of enforced patterns to a copy of the models until they find nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.run_patterns import run_pattern, suppressed, unique, without_excluded
from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern
from alembic_pgpatterns.remedies.model import Remedy
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.overlay import overlay

ROUNDS = 10
DEFAULT_SCHEMA = "public"

Accepts = Callable[[Finding], bool]


class ModelsCopy(Protocol):
    """A copy of an application's models, to which remedies are applied; perhaps in another process."""

    def declared(self, default_schema: str) -> Schema:
        """Make the copy, and read the models as they are."""

    def read(self, default_schema: str, target_version: int | None) -> Schema:
        """Read the copy, as far as it has been changed."""

    def apply(self, remedies: Sequence[Remedy], default_schema: str) -> list[bool | None]:
        """Apply remedies to the copy: whether each changed something; None: only a person can carry it out."""


def converge(
    copy: ModelsCopy, settings: Settings, accepts: Accepts, default_schema: str = DEFAULT_SCHEMA
) -> tuple[Schema, list[Finding], tuple[Finding, ...]]:
    """Apply the remedies of enforced patterns to a copy of the models until they find nothing more.

    Args:
        copy: of the models.
        settings: which patterns are enforced.
        accepts: whether a finding stays as it is.
        default_schema: of tables without a schema. It is part of the findings' names, so of the baseline's lines.

    Returns:
        The schema that the models declare; the findings whose remedies changed the copy; those that remain, because
        only a person can carry out their remedy.

    Raises:
        PgPatternsError: findings remain after ten rounds. The message names the patterns.
    """
    declared = copy.declared(default_schema)
    patterns = [p for p in schema_patterns(settings) if p.action is Action.ENFORCE]
    applied: list[Finding] = []
    for _ in range(ROUNDS):
        findings = detect(copy.read(default_schema, settings.target_version), declared, patterns, settings)
        open_findings = [finding for finding in findings if not accepts(finding)]
        remedies = [finding.remedy for finding in open_findings if finding.remedy is not None]
        results = iter(copy.apply(remedies, default_schema) if remedies else ())
        changed = [(item, None if item.remedy is None else next(results)) for item in open_findings]
        applied += [finding for finding, result in changed if result]
        if not any(result for _, result in changed):
            return declared, applied, tuple(finding for finding, result in changed if result is None)
    names = ", ".join(sorted({finding.pattern for finding in open_findings}))
    raise PgPatternsError(
        f"The patterns {names} still find something after {ROUNDS} rounds of their remedies: they contradict each "
        'other on these models. Set the action of one of them to "report".'
    )


def schema_patterns(settings: Settings) -> list[SchemaPattern]:
    """Return the selected patterns that need nothing but models."""
    chosen = chosen_patterns(settings, (SchemaPattern,))
    return [p for p in chosen if isinstance(p, SchemaPattern) and p.needs is not Needs.DATABASE]


def detect(schema: Schema, declared: Schema, patterns: Sequence[SchemaPattern], settings: Settings) -> list[Finding]:
    """Return the findings of some patterns, without those that the models suppress.

    Args:
        schema: of the copy, as far as it has been changed.
        declared: the application's own models, which know the lines of declarations.
        patterns: what to look for.
        settings: which tables are left out.
    """
    return [item for item in detect_all(schema, declared, patterns, settings) if not suppressed(item)]


def detect_all(
    schema: Schema, declared: Schema, patterns: Sequence[SchemaPattern], settings: Settings
) -> list[Finding]:
    """Return the same with the findings that the models suppress."""
    schema = without_excluded(overlay(schema, declared), settings)
    findings: list[Any] = [finding for pattern in patterns for finding in run_pattern(pattern, schema)]
    return list(unique(findings))
