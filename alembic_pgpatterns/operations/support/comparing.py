"""Shared by the comparators: what the models declare, and queries of the catalog."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import MetaData, Row, Table, text

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from alembic_pgpatterns.declare import Declared

    D = TypeVar("D", bound=Declared)

log = logging.getLogger("alembic.autogenerate.pgpatterns")

IN_TABLES = "(n.nspname, c.relname) IN (SELECT * FROM unnest(CAST(:schemas AS text[]), CAST(:names AS text[])))"
"""A condition on pg_class c and pg_namespace n: the table is one of those bound by `table_parameters`."""


def metadatas(context: AutogenContext) -> Sequence[MetaData]:
    """The target MetaData. env.py may give several."""
    metadata = context.metadata
    if metadata is None:
        return ()
    return [metadata] if isinstance(metadata, MetaData) else list(metadata)


def declaring_tables(context: AutogenContext, *kinds: type[Declared]) -> list[Table]:
    """Tables that declare something of these kinds and that env.py's filters let through."""
    from alembic_pgpatterns.declare import declared_of

    return [
        table
        for metadata in metadatas(context)
        for table in metadata.sorted_tables
        if any(declared_of(table, kind) for kind in kinds)
        and context.run_object_filters(table, table.name, "table", False, None)
    ]


def declared_on_metadata(context: AutogenContext, kind: type[D]) -> list[D]:
    """What is declared for the MetaData itself."""
    from alembic_pgpatterns.declare import declared_of

    return [item for metadata in metadatas(context) for item in declared_of(metadata, kind)]


def schema_of(context: AutogenContext, table: Table) -> str:
    """The table's schema; the default schema if the model names none."""
    assert context.dialect is not None
    return table.schema or context.dialect.default_schema_name or "public"


def table_parameters(context: AutogenContext, tables: Sequence[Table]) -> dict[str, list[str]]:
    """Parameters for `IN_TABLES`."""
    return {
        "schemas": [str(schema_of(context, table)) for table in tables],
        "names": [str(table.name) for table in tables],
    }


def fetch(context: AutogenContext, query: str, **parameters: Any) -> Sequence[Row[Any]]:
    """The rows of a catalog query."""
    assert context.connection is not None
    return context.connection.execute(text(query), parameters).all()


def all_operations(container: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    """Every operation, those inside containers too."""
    for operation in container.ops:
        if isinstance(operation, ops.OpContainer):
            yield from all_operations(operation)
        else:
            yield operation


_LATER = (
    ops.AddConstraintOp,
    ops.CreateIndexOp,
    ops.CreateTableCommentOp,
    ops.DropColumnOp,
    ops.DropConstraintOp,
    ops.DropIndexOp,
    ops.DropTableCommentOp,
    ops.DropTableOp,
)
"""Operations that a new policy or grant cannot depend on."""


def add(upgrade_ops: ops.UpgradeOps, operation: ops.MigrateOperation) -> None:
    """Insert *operation* after the tables and columns that it may need, and before indexes and constraints.

    Indexes and constraints may get files of their own when they are made safe. A table must not be without its
    policies between two files.
    """
    _split_containers(upgrade_ops)
    position = len(upgrade_ops.ops)
    while position and all(isinstance(each, _LATER) for each in _leaves(upgrade_ops.ops[position - 1])):
        position -= 1
    upgrade_ops.ops.insert(position, operation)


def _split_containers(upgrade_ops: ops.UpgradeOps) -> None:
    """Split containers, so that operations which may come later have containers of their own."""
    split: list[ops.MigrateOperation] = []
    for operation in upgrade_ops.ops:
        if type(operation) is not ops.ModifyTableOps:
            split.append(operation)
            continue
        head = len(operation.ops)
        while head and isinstance(operation.ops[head - 1], _LATER):
            head -= 1
        parts = [part for part in (operation.ops[:head], operation.ops[head:]) if part]
        split.extend(ops.ModifyTableOps(operation.table_name, part, schema=operation.schema) for part in parts)
    upgrade_ops.ops[:] = split


def _leaves(operation: ops.MigrateOperation) -> list[ops.MigrateOperation]:
    return list(all_operations(operation)) if isinstance(operation, ops.OpContainer) else [operation]


def hide_declarations(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> PriorityDispatchResult:
    """Remove our entry from the ``info`` that Alembic would write into ``op.create_table``."""
    from alembic_pgpatterns.declare import KEY

    for operation in all_operations(upgrade_ops):
        if isinstance(operation, ops.CreateTableOp):
            operation.info = {key: value for key, value in operation.info.items() if key != KEY}
    return PriorityDispatchResult.CONTINUE
