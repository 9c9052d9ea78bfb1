"""Columns that a table and one that it inherits from (``postgresql_inherits``) declare both, as mapped classes do.

PostgreSQL keeps one column of both, so a change of the parent changes the child too (docs, "Inheritance").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.operations import ops
from sqlalchemy import MetaData, Table

from alembic_pgpatterns.remedies.metadata_copy import parents_of

WITH_PARENT = "_pgpatterns_with_parent"
"""The attribute of a drop_column whose column the revision drops from the parent too."""


def with_children(operations: Sequence[ops.MigrateOperation], metadata: MetaData) -> list[ops.MigrateOperation]:
    """Return the ops with those of children where PostgreSQL accepts them.

    A column comes to the child first, because the parent's is merged with it and not the other way round. It goes from
    the child last. Its type is changed with the parent's.

    Args:
        operations: all ops of the upgrade. Those of one table are corrected in place.
        metadata: the target.
    """
    containers = {(op.schema, op.table_name): op for op in operations if isinstance(op, ops.ModifyTableOps)}
    first: list[ops.MigrateOperation] = []
    last: list[ops.MigrateOperation] = []
    # Children of children before their parents.
    for table in reversed(metadata.sorted_tables):
        container = containers.get((table.schema, str(table.name)))
        parents = [containers[key] for key in _ancestors(table, metadata) if key in containers]
        for op in list(container.ops) if container is not None and parents else ():
            if not any(_same_change(op, other) for parent in parents for other in parent.ops):
                continue
            assert container is not None
            if isinstance(op, ops.AlterColumnOp):
                op.existing_type, op.modify_type = op.modify_type, None
            moved = {ops.AddColumnOp: first, ops.DropColumnOp: last}.get(type(op))
            if moved is not None:
                setattr(op, WITH_PARENT, True)
                moved.append(ops.ModifyTableOps(container.table_name, [op], schema=container.schema))
            if moved is not None or (isinstance(op, ops.AlterColumnOp) and not op.has_changes()):
                container.ops.remove(op)
    # A parent of a parent loses its column first.
    return [*first, *operations, *reversed(last)]


def _ancestors(table: Table, metadata: MetaData) -> Iterator[tuple[str | None, str]]:
    for name in parents_of(table):
        parent = metadata.tables.get(name)
        if parent is not None and parent is not table:
            yield (parent.schema, str(parent.name))
            yield from _ancestors(parent, metadata)


def _same_change(op: Any, other: Any) -> bool:
    if type(op) is not type(other):
        return False
    if isinstance(op, ops.AddColumnOp):
        return bool(op.column.name == other.column.name)
    if isinstance(op, ops.AlterColumnOp):
        return op.column_name == other.column_name and op.modify_type is not None and other.modify_type is not None
    return isinstance(op, ops.DropColumnOp) and op.column_name == other.column_name
