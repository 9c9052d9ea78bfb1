"""Constraints on enums of alembic-postgresql-enum: they go before it replaces a type, and come after.

Their conditions name the old type, so PostgreSQL drops them with it or refuses the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.autogenerate.compare.type_catalog import read_types
from alembic_pgpatterns.autogenerate.compare.type_dependents import Dependent, read_dependents
from alembic_pgpatterns.autogenerate.rewrite.changes import flatten, name_in_enum_plugin, name_of
from alembic_pgpatterns.autogenerate.rewrite.enum_plugin_ops import RELEASED, REPLACES, ReleaseOp

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def with_dependents_released(context: AutogenContext, operations: list[Any], default_schema: str) -> list[Any]:
    """Return the ops with those around the plugin's that take away what is on the columns, and create it again.

    Args:
        context: of the run.
        operations: all ops of the upgrade.
        default_schema: of tables without one.
    """
    replacing = [op for op in operations if name_in_enum_plugin(op) in REPLACES]
    if not replacing or context.connection is None:
        return operations
    types = read_types(context.connection)
    removed = {
        (getattr(change.up, "schema", None) or default_schema, str(getattr(change.up, "table_name", "")), name)
        for change in flatten(operations)
        if (name := name_of(change.up)) is not None
    }
    result: list[Any] = []
    for op in operations:
        item = types.get((op.schema or default_schema, op.name)) if any(op is other for other in replacing) else None
        dependents = read_dependents(context.connection, item) if item is not None else []
        left = {index.name for index in getattr(op, "indexes_to_recreate", ())}
        released = [d for d in dependents if d.create and d.key not in removed and f"{d.schema}.{d.name}" not in left]
        result += _around(op, released, default_schema)
    return result


def _around(op: Any, dependents: list[Dependent], default_schema: str) -> list[Any]:
    pairs = [_pair(item, default_schema) for item in dependents]
    if name_in_enum_plugin(op) != "SyncEnumValuesOp":
        setattr(op, RELEASED, pairs)
        return [op]
    return [*(drop for drop, _ in pairs), op, *(create for _, create in reversed(pairs))]


def _pair(item: Dependent, default_schema: str) -> tuple[ReleaseOp, ReleaseOp]:
    assert item.drop is not None and item.create is not None
    table = (None if item.schema == default_schema else item.schema, item.table)
    return (
        ReleaseOp(table, item.drop, item.create, item.name),
        ReleaseOp(table, item.create, item.drop, item.name),
    )
