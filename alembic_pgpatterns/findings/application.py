"""What the application's own source asks the database, for patterns that depend on it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.evidence.source import read_source, shown
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns import Basis, Pattern, SchemaPattern, StatementPattern
from alembic_pgpatterns.schema.model import Location, Schema
from alembic_pgpatterns.server.cache_folder import cache_folder
from alembic_pgpatterns.workload.as_evidence import with_workload
from alembic_pgpatterns.workload.imports import read_workloads


def read_application(settings: Settings, schemas: Sequence[Schema], *, always: bool = False) -> Evidence | None:
    """The queries in the application's source, and of the recorded workload if there is one; None if none is needed.

    Args:
        settings: selected patterns, the folder of the source, and the workload.
        schemas: with the lines of the models, which connect classes with tables.
        always: read them even if no selected pattern needs them.

    Raises:
        PgPatternsError: the workload cannot be read.
    """
    patterns = chosen_patterns(settings, (SchemaPattern, StatementPattern))
    if not always and not any(map(_asks, patterns)):
        return None
    # From the project's folder, since places are in fingerprints: the same wherever the command is started.
    root = settings.root.absolute()
    evidence = read_source(_folders(settings, schemas), root, _declared(schemas, root), _cache(settings))
    if settings.workload is None:
        return evidence
    return with_workload(evidence, read_workloads([settings.path(settings.workload)]))


def _cache(settings: Settings) -> Path | None:
    """Where the facts about files are kept; None without a cache, and where its folder is not this user's."""
    if settings.cache and "PGPATTERNS_NO_CACHE" not in os.environ:
        with contextlib.suppress(OSError, RuntimeError):
            return cache_folder() / "source"
    return None


def _asks(pattern: Pattern) -> bool:
    asks = pattern.basis is Basis.QUERIES or pattern.weighs_queries
    return asks or (isinstance(pattern, StatementPattern) and pattern.of_source)


def with_evidence(schema: Schema, evidence: Evidence | None) -> Schema:
    """The schema with what the application asks for."""
    return dataclasses.replace(schema, evidence=evidence)


def unread(evidence: Evidence | None) -> list[Skipped]:
    """The parts of the source that could not be read."""
    if evidence is None or not evidence.unread:
        return []
    more = f" (and {len(evidence.unread) - 1} more)" if len(evidence.unread) > 1 else ""
    return [Skipped("queries of the application's source", f"{evidence.unread[0]}{more}", expected=True)]


def _folders(settings: Settings, schemas: Sequence[Schema]) -> list[Path]:
    """The folders in the settings; otherwise the project's, and the packages of models outside it."""
    if settings.source:
        # Without "..", as in the places of the models' columns, which are compared with them.
        return [Path(os.path.normpath(settings.path(folder))) for folder in settings.source]
    folders = [settings.root.absolute()]
    for path in {location.path for location in _locations(schemas)}:
        package = _package(Path(path).absolute())
        installed = {"site-packages", "dist-packages"} & set(package.parts)
        if not installed and not any(package.is_relative_to(folder) for folder in folders):
            folders.append(package)
    return folders


def _package(path: Path) -> Path:
    """The folder of the outermost package that a file is in."""
    folder = path.parent
    while (folder.parent / "__init__.py").exists():
        folder = folder.parent
    return folder


def _locations(schemas: Iterable[Schema]) -> Iterable[Location]:
    for schema in schemas:
        for table in schema.tables:
            yield from (column.origin.location for column in table.columns if column.origin.location is not None)


def _declared(schemas: Iterable[Schema], root: Path) -> dict[tuple[str, int], str]:
    """The table by the line of a column's declaration, seen from the root.

    The line of a mixin is in several tables, so it is left out.
    """
    tables: dict[tuple[str, int], set[str]] = defaultdict(set)
    for schema in schemas:
        for table in schema.tables:
            for column in table.columns:
                place = column.origin.location
                if place is not None:
                    tables[shown(Path(place.path), root), place.line].add(f"{table.name.schema}.{table.name.name}")
    return {place: next(iter(names)) for place, names in tables.items() if len(names) == 1}
