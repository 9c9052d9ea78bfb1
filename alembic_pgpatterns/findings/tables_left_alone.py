"""What nobody of the project decides, or not for PostgreSQL alone.

The shape of tables that only the database has and no query asks for (copies that a revision left), what a library
declares, and the types of models that are made for other databases, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from alembic_pgpatterns.patterns import Finding, Severity, registry
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.model import Name, Schema

_INSTALLED = {"site-packages", "dist-packages"}
ALWAYS = frozenset({"security"})
"""Folders of patterns whose findings count for such tables, too: their rows can still be read."""


def as_guesses(findings: Iterable[Finding], schema: Schema) -> list[Finding]:
    """The findings; those about the shape of a table that is left alone are guesses, unless they are errors."""
    left_alone = unused_tables(schema) | tables_of_libraries(schema)
    portable = _is_portable(schema)
    return [
        item.but(guess=True)
        if ((item.table in left_alone or _is_of_library(item)) and _is_of_shape(item))
        or (portable and _is_of_postgresql(item))
        else item
        for item in findings
    ]


def _is_portable(schema: Schema) -> bool:
    """Whether the models are made for other databases, too: by their options, or those that the source may set."""
    in_source = schema.evidence is not None and bool(schema.evidence.databases)
    return in_source or any(metadata.databases for metadata in schema.metadatas)


def _is_of_library(finding: Finding) -> bool:
    """Whether it asks to change what a library declares: an index beside that is another thing."""
    is_declared = finding.at is not None and finding.at.origin.library
    return is_declared and not isinstance(finding.remedy, CreateIndex)


def _is_of_postgresql(finding: Finding) -> bool:
    cls = registry().get(finding.pattern)
    return cls is not None and cls.of_postgresql


def tables_of_libraries(schema: Schema) -> frozenset[Name]:
    """The tables whose models stand in installed packages: the project has no line that it could change.

    Not those of the package that most tables come from: that is the project, which may be installed, too.
    """
    packages = {
        table.name: _package(table.origin.location.path) for table in schema.tables if table.origin.location is not None
    }
    ((project, _),) = Counter(packages.values()).most_common(1) or ((None, 0),)
    return frozenset(name for name, package in packages.items() if package and package != project)


def _package(path: str) -> str:
    """The name of the installed package that a file belongs to; empty if it is not installed."""
    parts = Path(path).parts
    return next((parts[i + 1] for i, part in enumerate(parts[:-1]) if part in _INSTALLED), "")


def unused_tables(schema: Schema) -> frozenset[Name]:
    """The tables without a model, a query or a foreign key from a table in use.

    None where the models or the queries are not known, or where the models have less than half of the tables: the
    application then has others, of which nothing is known.
    """
    evidence = schema.evidence
    others = {table.name for table in schema.tables if not table.modelled and table.partition_of is None}
    if evidence is None or not schema.metadatas or 2 * len(others) >= len(schema.tables):
        return frozenset()
    used = {table.name for table in schema.tables if table.name not in others} | {
        name for name in others if _is_asked(schema, name)
    }
    waiting = [*used]
    while waiting:
        new = set(_referred(schema, waiting.pop())) - used
        used |= new
        waiting.extend(new)
    return frozenset(others - used)


def _is_asked(schema: Schema, name: Name) -> bool:
    evidence = schema.evidence
    assert evidence is not None
    inserted = {name.name, f"{name.schema}.{name.name}"} & set(evidence.inserted)
    return bool(inserted or evidence.of_table(name.schema, name.name))


def _referred(schema: Schema, name: Name) -> Iterator[Name]:
    table = schema.table(name)
    for key in table.foreign_keys if table is not None else ():
        yield key.referred_table


def _is_of_shape(finding: Finding) -> bool:
    cls = registry().get(finding.pattern)
    return cls is not None and cls.folder not in ALWAYS and finding.severity < Severity.ERROR
