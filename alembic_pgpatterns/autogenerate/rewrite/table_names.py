"""Tables by their names in SQL."""

from __future__ import annotations

from alembic_pgpatterns.schema.names import quote


def alter_table(schema: str | None, table: str) -> str:
    """Return ``ALTER TABLE`` with the quoted name of a table."""
    return f"ALTER TABLE {qualified(schema, table)}"


def qualified(schema: str | None, table: str) -> str:
    """Return a table's quoted name."""
    return ".".join(quote(part) for part in (schema, table) if part)
