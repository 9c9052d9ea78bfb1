"""Run the selected patterns on one schema, for pgcheck and for autogenerate."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.detected import detected
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.findings.tables_left_alone import as_guesses
from alembic_pgpatterns.findings.together import agree
from alembic_pgpatterns.patterns import Finding, Needs, SchemaPattern, ServerPattern
from alembic_pgpatterns.schema.model import Name, Namespace, OverlongItem, Schema, Sequence

if TYPE_CHECKING:
    from alembic_pgpatterns.schema.live import LiveServer


@dataclass(frozen=True, slots=True)
class Results:
    """The findings for one schema, before baseline and suppressions are applied."""

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]


def run_patterns(schema: Schema, settings: Settings) -> Results:
    """All selected schema patterns on one schema, without the tables that the settings exclude."""
    settings = settings.for_server(schema.server_version)
    schema = without_excluded(schema, settings)
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    ran: list[SchemaPattern] = []
    for pattern in chosen_patterns(settings, (SchemaPattern,)):
        assert isinstance(pattern, SchemaPattern)
        reason = _cannot_tell(pattern, schema)
        if reason is not None:
            # The report says elsewhere, with the reason, what the pattern lacks (for example the models).
            skipped.append(Skipped(pattern.name, reason, expected=True))
            continue
        findings.extend(run_pattern(pattern, schema))
        ran.append(pattern)
    weighed = [_weighed(item, schema) for item in as_guesses(findings, schema)]
    return Results(tuple(unique(agree(weighed, schema, ran))), tuple(skipped))


def _weighed(finding: Finding, schema: Schema) -> Finding:
    """The finding with the number of queries on its table as its weight, unless the pattern gives it one."""
    if schema.evidence is None or finding.table is None or finding.weight:
        return finding
    shapes = schema.evidence.of_table(finding.table.schema, finding.table.name)
    return finding.but(weight=sum(shape.calls for shape in shapes))


def run_server_patterns(server: LiveServer, settings: Settings) -> Results:
    """All selected server patterns on a live server."""
    settings = dataclasses.replace(settings, target_version=settings.target_version or server.version // 10000)
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    for pattern in chosen_patterns(settings, (ServerPattern,)):
        assert isinstance(pattern, ServerPattern)
        reason = pattern.cannot_tell(server)
        if reason is not None:
            skipped.append(Skipped(pattern.name, reason))
            continue
        findings.extend(detected(pattern, server))
    return Results(tuple(unique(findings)), tuple(skipped))


def run_pattern(pattern: SchemaPattern, schema: Schema) -> list[Finding]:
    """The findings of one pattern.

    Raises:
        PgPatternsError: the pattern failed. To continue would mean to report "ok" without a check.
    """
    return detected(pattern, schema)


def _cannot_tell(pattern: SchemaPattern, schema: Schema) -> str | None:
    if pattern.needs is Needs.DATABASE and schema.source == "models":
        return "needs a database at head"
    if pattern.needs is Needs.MODELS and not schema.metadatas:
        return "needs the models, which could not be read"
    return None


def without_excluded(schema: Schema, settings: Settings) -> Schema:
    """The schema without the tables and schemas that the settings exclude."""

    def keeps(name: Name) -> bool:
        return not settings.excludes(name.schema)

    return dataclasses.replace(
        schema,
        tables=tuple(item for item in schema.tables if not settings.excludes(item.name.schema, item.name.name)),
        views=tuple(item for item in schema.views if keeps(item.name)),
        sequences=tuple(item for item in schema.sequences if keeps(item.name)),
        functions=tuple(item for item in schema.functions if keeps(item.name)),
        namespaces=tuple(item for item in schema.namespaces if not settings.excludes(item.name)),
        grants=tuple(item for item in schema.grants if keeps(item.name)),
        overlong=tuple(item for item in schema.overlong if not _is_excluded(item[0], settings)),
    )


def _is_excluded(item: OverlongItem, settings: Settings) -> bool:
    if isinstance(item, Namespace):
        return settings.excludes(item.name)
    if isinstance(item, Sequence):
        return settings.excludes(item.name.schema)
    return settings.excludes(item.table.schema, item.table.name)


def unique(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings with unique fingerprints: the second one with the same fingerprint gets ``#2``."""
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.fingerprint] += 1
        count = seen[finding.fingerprint]
        yield finding if count == 1 else finding.but(fingerprint=f"{finding.fingerprint} #{count}")


def suppressed(finding: Finding) -> bool:
    """Whether the models' own ``info`` suppresses the finding."""
    return finding.at is not None and finding.pattern in finding.at.origin.ignored
