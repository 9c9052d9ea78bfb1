"""Names in the models that PostgreSQL will cut."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.schema.model import Overlong, OverlongItem, Schema, Table
from alembic_pgpatterns.schema.names import MAX_IDENTIFIER_BYTES
from alembic_pgpatterns.schema.others import Namespace


def overlong_names(models: Schema) -> tuple[Overlong, ...]:
    """The objects with names of more than 63 bytes, as the models declare them.

    Args:
        models: from ``metadata.read``. A database holds only the cut names.
    """
    return tuple((item, name) for item, name in _named(models) if len(name.encode()) > MAX_IDENTIFIER_BYTES)


def _named(models: Schema) -> Iterator[tuple[OverlongItem, str]]:
    for name in sorted({table.name.schema for table in models.tables}):
        yield Namespace(name, ""), name
    for table in models.tables:
        yield from _of_table(table)
    for sequence in models.sequences:
        if not sequence.internal:
            yield sequence, sequence.name.name


def _of_table(table: Table) -> Iterator[tuple[OverlongItem, str]]:
    yield table, table.name.name
    for column in table.columns:
        yield column, column.name
    keys = (table.primary_key,) if table.primary_key else ()
    for constraint in (*keys, *table.unique_constraints, *table.foreign_keys, *table.checks, *table.exclusions):
        if constraint.name:
            yield constraint, constraint.name
    for index in table.indexes:
        if index.constraint is None:
            yield index, index.name.name
