"""What alembic-postgresql-enum writes, with what it lacks.

Constraints on its enums go before it replaces a type, and come after: their conditions name the old type, so PostgreSQL
drops them with it or refuses the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Enum, MetaData
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.autogenerate.compare.schemas import ADDED
from alembic_pgpatterns.autogenerate.compare.type_catalog import read_types
from alembic_pgpatterns.autogenerate.compare.type_dependents import Dependent, read_dependents
from alembic_pgpatterns.autogenerate.compare.types import loses_all
from alembic_pgpatterns.autogenerate.rewrite.changes import flatten, name_in_enum_plugin, name_of
from alembic_pgpatterns.autogenerate.rewrite.enum_plugin_ops import RELEASED, REPLACES, ReleaseOp
from alembic_pgpatterns.remedies.type_operations import CastTypeOp

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def spell_enums(metadata: MetaData) -> None:
    """Make PostgreSQL's own enums of those that the package cannot write, in a copy of the models.

    It puts ``postgresql.ENUM`` in place of the word ``Enum`` in an ``sa.Enum``'s repr, also in its name (1.11.0).
    """
    for column in [column for table in metadata.tables.values() for column in table.columns]:
        if isinstance(column.type, ARRAY):
            column.type.item_type = _spelled(column.type.item_type)
        else:
            column.type = _spelled(column.type)


def _spelled(kind: Any) -> Any:
    if type(kind) is not Enum or not kind.native_enum or repr(kind).count("Enum") == 1:
        return kind
    return postgresql.ENUM(*kind.enums, name=kind.name, schema=kind.schema)


def with_dependents_released(context: AutogenContext, operations: list[Any], default_schema: str) -> list[Any]:
    """Return the ops with those around the plugin's that take away what is on the columns, and create it again.

    Args:
        context: of the run.
        operations: all ops of the upgrade.
        default_schema: of tables without one.
    """
    _cast_both_ways(operations)
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


def without_foreign_drops(context: AutogenContext, operations: list[Any], default_schema: str) -> list[Any]:
    """Return the ops without drops of enums in schemas that env.py leaves out, unless the revision drops their columns.

    The package drops each enum that no model has, in each schema that it looks at.

    Args:
        context: of the run.
        operations: all ops of the upgrade.
        default_schema: of tables without one.
    """
    added = context.migration_context.opts.pop(ADDED, set())
    drops = [op for op in operations if name_in_enum_plugin(op) == "DropEnumOp" and op.schema in added]
    types = read_types(context.connection) if drops and context.connection is not None else {}
    changes = [change.up for change in flatten(operations)]
    users = {id(op): item.users for op in drops if (item := types.get((op.schema, op.name))) is not None}
    foreign = {id(op) for op in drops if not loses_all(users.get(id(op), ()), changes, default_schema)}
    return [op for op in operations if id(op) not in foreign]


def _cast_both_ways(operations: list[Any]) -> None:
    """Give casts to enums back what they were: the package's class for them has no USING for the downgrade (1.11.0)."""
    changes: list[Any] = [change.up for change in flatten(operations)]
    for op in changes:
        if name_in_enum_plugin(op) == "PostgresUsingAlterColumnOp" and "using_forth" in vars(op):
            op.__class__ = CastTypeOp
            op.kw["postgresql_using"] = vars(op)["using_forth"]


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
