"""What the head of a project shows: its schemas, the statements of the application, and the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.checks.placed import placed
from alembic_pgpatterns.checks.sizes import sized
from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.head_schema import Head
from alembic_pgpatterns.evidence.model import Evidence, QueryShape, Use
from alembic_pgpatterns.findings.application import read_application, unread, with_evidence
from alembic_pgpatterns.findings.model_words import unknown_words
from alembic_pgpatterns.findings.report_model import Gathered
from alembic_pgpatterns.findings.run_patterns import run_pattern, run_patterns, suppressed, unique, without_excluded
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.findings.statements import gather_statements
from alembic_pgpatterns.findings.together import share_indexes
from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.workload.from_source import workload_of


def gather_head(head: Head, settings: Settings, gathered: Gathered) -> None:
    """Add to ``gathered`` what the databases at head, the application's statements and the models show."""
    _gather_facts(head, gathered)
    _gather_schemas(head, settings, gathered)


def _gather_facts(head: Head, gathered: Gathered) -> None:
    gathered.skipped += [*head.skipped, *_stood_in(head)]
    gathered.hints += head.hints
    gathered.facts, gathered.heads = head.facts, head.heads
    gathered.schemas = tuple((database.label, database.schema) for database in head.databases)
    models = [database.models for database in head.databases if database.models is not None]
    gathered.hints += dict.fromkeys(line for schema in models for line in unknown_words(schema))


def _stood_in(head: Head) -> Iterator[Skipped]:
    """The extensions that the server lacks: what their stand-ins leave out."""
    names = {item.name for database in head.databases for item in database.schema.extensions if item.is_stand_in}
    for name in sorted(names):
        reason = (
            f"the server has a stand-in for it, whose functions do nothing; with a PostgreSQL that has {name} "
            "(--server URL, or the setting postgres) all of it is checked"
        )
        yield Skipped(f"what the extension {name} does", reason, expected=True)


def _gather_schemas(head: Head, settings: Settings, gathered: Gathered) -> None:
    evidence = read_application(settings, [database.schema for database in head.databases])
    gathered.skipped += unread(evidence)
    for database in head.databases:
        schema = sized(database.schema, settings)
        results = run_patterns(with_evidence(schema, evidence), settings)
        before = len(gathered.findings)
        remaining = [placed(finding, database) for finding in results.findings if not suppressed(finding)]
        gathered.findings += [finding for finding in remaining if not finding.guess]
        gathered.guesses += [finding for finding in remaining if finding.guess]
        gathered.suppressed += len(results.findings) - len(remaining)
        gathered.skipped += results.skipped
        _gather_statements(evidence, schema, settings, gathered)
        gathered.findings[before:] = share_indexes(gathered.findings[before:])


def _gather_statements(evidence: Evidence | None, schema: Schema, settings: Settings, gathered: Gathered) -> None:
    """What the application asks, as it was recorded; else the queries that stand in its source."""
    if settings.workload is not None:
        from alembic_pgpatterns.workload.imports import read_workloads

        gather_statements(read_workloads([settings.path(settings.workload)]), settings, schema, gathered)
    elif evidence is not None:
        shapes = (
            shape
            for shape in evidence.shapes
            if shape.complete and shape.alone and not (_clears_away(shape) or _depends_on_callers(shape, schema))
        )
        understood = replace(evidence, shapes=tuple(shapes))
        gather_statements(workload_of(understood), settings, schema, gathered)
        reported = {item.fingerprint for item in (*gathered.findings, *gathered.guesses)}
        gathered.guesses += _of_parts(evidence, schema, settings, reported)


def _clears_away(shape: QueryShape) -> bool:
    """Whether it deletes what is old. That runs once a day, and each INSERT would pay for its index."""
    # A constant, such as that it is not done, is one of a few values.
    searched = any(item.use in (Use.EQUAL, Use.MEMBER) and item.literal is None for item in shape.conditions)
    return shape.command == "delete" and bool(shape.ranges) and not searched


def _depends_on_callers(shape: QueryShape, schema: Schema) -> bool:
    """Whether it is for its callers to choose a filter that an index serves, or to leave all filters out."""
    chosen = {item.column for item in shape.conditions if item.optional and item.use in (Use.EQUAL, Use.MEMBER)}
    if chosen and all(item.optional for item in shape.conditions):
        return True
    namespace, _, name = shape.table.rpartition(".")
    table = schema.table(Name(namespace or schema.default_schema, name))
    return table is not None and any(index.columns[0] in chosen for index in table.indexes if index.keys)


def _of_parts(evidence: Evidence, schema: Schema, settings: Settings, reported: set[str]) -> list[Finding]:
    """What the rest of the queries says: one of two tables, or understood in part, may come to its rows by an index."""
    partly = Gathered()
    gather_statements(workload_of(evidence), settings, schema, partly)
    parts = (*partly.findings, *partly.guesses)
    return [item.but(guess=True) for item in parts if item.fingerprint not in reported]


def of_models(head: Head, settings: Settings) -> Iterator[str]:
    """Fingerprints of what is enforced on the models, which may contain more than the database."""
    enforced = [pattern for pattern in chosen_patterns(settings, (SchemaPattern,)) if pattern.action is Action.ENFORCE]
    for database in head.databases:
        models, label = database.models, database.label
        for pattern in enforced if models is not None else ():
            assert isinstance(pattern, SchemaPattern) and models is not None
            if pattern.needs is not Needs.DATABASE:
                findings = unique(run_pattern(pattern, without_excluded(models, settings)))
                names = [finding.fingerprint for finding in findings if not suppressed(finding)]
                yield from (f"{name} @{label}" if label else name for name in names)
