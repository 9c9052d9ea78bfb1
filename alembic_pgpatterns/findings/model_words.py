"""What models say in ``info={"pgpatterns": …}``, and what is written wrong there: nothing would happen, in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alembic_pgpatterns.config.chosen_patterns import nearest
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.schema.model import Check, Exclusion, ForeignKey, Index, Key, Schema, Table
from alembic_pgpatterns.schema.origin import Origin

KEYS = ("ignore", "reason", "rows", "fetches")
"""The keys that something reads."""


def unknown_words(models: Schema) -> tuple[str, ...]:
    """One line for each key that nothing reads, and for each pattern to ignore that does not exist.

    Args:
        models: from the models' reader, where each object knows its own ``info``.
    """
    everywhere = frozenset(name for metadata in models.metadatas for name in metadata.origin.ignored)
    lines = [line for metadata in models.metadatas for line in _of(metadata.origin, frozenset())]
    for table in models.tables:
        lines += _of_table(table, everywhere)
    return tuple(dict.fromkeys(lines))


def _of_table(table: Table, outer: frozenset[str]) -> Iterator[str]:
    yield from _of(table.origin, outer)
    outer |= table.origin.ignored
    for column in table.columns:
        yield from _of(column.origin, outer)
    # An index or a constraint ignores what its columns ignore.
    outer |= frozenset(name for column in table.columns for name in column.origin.ignored)
    parts: list[Key | ForeignKey | Check | Exclusion | Index] = [*table.unique_constraints, *table.foreign_keys]
    parts += [*filter(None, [table.primary_key]), *table.checks, *table.exclusions, *table.indexes]
    for part in parts:
        yield from _of(part.origin, outer)


def _of(origin: Origin, outer: Iterable[str]) -> Iterator[str]:
    """What one object says itself; ``outer`` are the names that it has from what it belongs to."""
    where = f'{origin.location or "models"}: info["pgpatterns"]'
    for key in sorted(set(origin.info) - set(KEYS)):
        yield f"{where}: nothing reads {key!r}.{nearest(key, KEYS)}"
    for name in sorted(origin.ignored - frozenset(outer) - set(registry())):
        yield f"{where}: ignore: there is no pattern {name!r}.{nearest(name, registry())}"
