"""Link tables: two foreign keys that together are a key."""

from __future__ import annotations

from alembic_pgpatterns.schema.model import Table


def link_columns(table: Table) -> tuple[str, str] | None:
    """The two columns of a link table, in the order of its key; None where it is no link table."""
    linked = {key.columns[0] for key in table.foreign_keys if len(key.columns) == 1}
    keys = (table.primary_key, *table.unique_constraints)
    for key in keys:
        if key is not None and len(key.columns) == 2 and linked.issuperset(key.columns):
            return (key.columns[0], key.columns[1])
    return None
