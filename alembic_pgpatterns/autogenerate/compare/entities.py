"""Views of alembic-utils on tables that the database does not have yet, which end autogenerate with a traceback.

alembic-utils creates each registered view on the database to compare it (its issue 41).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from alembic_pgpatterns.schema.sql.parser import postgast

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def views_before_their_tables(context: AutogenContext) -> Iterator[str]:
    """Lines for the console that say which view waits for which new table.

    Args:
        context: of the run, with the models.
    """
    module: Any = sys.modules.get("alembic_utils.replaceable_entity")
    metadata: Any = context.metadata
    if module is None or context.connection is None or metadata is None:
        return
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    declared = {(table.schema or default, str(table.name)) for table in metadata.tables.values()}
    inspector = inspect(context.connection)
    for entity in module.registry.entities():
        used = declared.intersection(_tables(str(entity.definition), default)) if entity.type_.endswith("view") else ()
        missing = [name for schema, name in sorted(used) if not inspector.has_table(name, schema=schema)]
        if missing:
            yield (
                f"pgpatterns: warning: alembic-utils compares the {entity.type_} {entity.signature} on the database, "
                f"which does not have {', '.join(missing)} yet. Write and run the revision of the table first, and "
                "register the view after it."
            )


def _tables(query: str, default_schema: str) -> Iterable[tuple[str, str]]:
    try:
        tree = postgast.parse(query)
    except postgast.PgQueryError:
        return []
    relations = postgast.find_nodes(tree, postgast.pg_query_pb2.RangeVar)
    return [(item.schemaname or default_schema, item.relname) for item in relations]
