"""Names for CHECK constraints that remedies add."""

from __future__ import annotations

from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.model import Schema


def check_names(schema: Schema, table: str, constraint: str) -> tuple[str, str]:
    """What the models call a CHECK, and its name in the database.

    A naming convention with ``%(constraint_name)s`` makes the second from the first (SQLAlchemy, "Configuring
    Constraint Naming Conventions"). Without one they are the same, and have the usual form.

    Args:
        schema: it knows the convention of the models.
        table: the table's name, without its schema.
        constraint: the constraint's name within the table, such as ``sku_length``.
    """
    usual = fit(f"ck_{table}_{constraint}")
    templates = {metadata.check_template for metadata in schema.metadatas}
    template = templates.pop() if len(templates) == 1 else None
    if template is None or "%(constraint_name)s" not in template:
        return usual, usual
    try:
        return constraint, fit(template % {"table_name": table, "constraint_name": constraint})
    except (KeyError, TypeError, ValueError):  # a token of the application's own
        return usual, usual
