"""Tables that pg_partman keeps: templates, which hold what partitions do not inherit. No model names them."""

from __future__ import annotations

from sqlalchemy import Connection, column, select, table, text

_CONFIG = """
    SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'part_config' WHERE e.extname = 'pg_partman'
"""


def is_template(connection: Connection, schema: str, name: str) -> bool:
    """Whether pg_partman is installed and has the table as a template (its table part_config, versions 4 and 5)."""
    home = connection.scalar(text(_CONFIG))
    if home is None:
        return False
    config = table("part_config", column("template_table"), schema=home)
    templates = select(config.c.template_table).where(config.c.template_table == f"{schema}.{name}")
    return connection.scalar(templates) is not None
