"""Link tables: two foreign keys that together are a key, and hardly anything else."""

from __future__ import annotations

from alembic_pgpatterns.schema.model import Table

BOOKKEEPING = frozenset({"timestamp", "timestamptz", "date", "int2", "int4", "int8", "bool", "uuid"})
"""Types of further columns that a link table may have: a time, a position, a key of its own."""


def link_columns(table: Table) -> tuple[str, str] | None:
    """The two columns of a link table, in the order of its key; None if it is not a link table."""
    linked = {key.columns[0] for key in table.foreign_keys if len(key.columns) == 1}
    if not all(column.name in linked or column.type.name in BOOKKEEPING for column in table.columns):
        return None
    for key in (table.primary_key, *table.unique_constraints):
        if key is not None and len(key.columns) == 2 and linked.issuperset(key.columns):
            return (key.columns[0], key.columns[1])
    return None


def linking_columns(table: Table) -> frozenset[str]:
    """Columns that say what a row links: columns of a unique rule that consists only of foreign keys."""
    linked = {name for key in table.foreign_keys for name in key.columns}
    keys = [key for key in (table.primary_key, *table.unique_constraints) if key is not None and len(key.columns) > 1]
    return frozenset(name for key in keys if linked.issuperset(key.columns) for name in key.columns)
