"""Tables of the models in schemas that env.py does not include.

Without ``include_schemas`` Alembic looks at the default schema alone, and creates all other tables in every revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.autogenerate.compare.types import declared_types
from alembic_pgpatterns.autogenerate.rewrite.database_facts import enum_plugin
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp

ADDED = "pgpatterns_added_schemas"
"""The migration context's option that holds the schemas that are looked at because of the models alone."""

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops


def add_schemas(context: AutogenContext, upgrade_ops: ops.UpgradeOps, schemas: set[str | None]) -> None:
    """Let Alembic look at the schemas of the models' tables, but at no other table there.

    Args:
        context: of the run.
        upgrade_ops: not used.
        schemas: what Alembic looks at; changed in place.
    """
    metadata: Any = context.metadata
    if metadata is None or context.opts.get("include_schemas"):
        return
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    tables = {(str(t.schema), str(t.name)) for t in metadata.tables.values() if t.schema and t.schema != default}
    # alembic-postgresql-enum looks for enums in these schemas alone.
    enums = {key[0] for key in declared_types(metadata, default)} - {default} if enum_plugin() else set()
    added = {
        schema for schema in {schema for schema, _ in tables} | enums if context.run_name_filters(schema, "schema", {})
    }
    if not added:
        return
    schemas |= added
    context.migration_context.opts[ADDED] = added

    def declared(name: str | None, kind: str, parents: Any) -> bool:
        schema = parents.get("schema_name")
        return kind != "table" or schema not in added or (schema, name) in tables

    # Private: the public way is include_name of env.py, which is the project's.
    context._name_filters.append(declared)


def untranslated(context: AutogenContext) -> CommentOp | None:
    """What to say where env.py translates schemas: reflection, and SQL in a revision, know nothing of that."""
    connection = context.connection
    mapping = connection.get_execution_options().get("schema_translate_map") if connection is not None else None
    if not mapping:
        return None
    names = ", ".join(f"{old or 'no schema'} to {new or 'no schema'}" for old, new in dict(mapping).items())
    lines = (
        f"# pgpatterns: env.py sets schema_translate_map ({names}). Autogenerate compares the schemas that the",
        "#   models name, not those. Set search_path in env.py instead, as in Alembic's cookbook, 'Rudimental",
        "#   Schema-Level Multi Tenancy for PostgreSQL Databases'.",
    )
    return CommentOp(lines)
