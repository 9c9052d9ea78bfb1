"""Views on a column that gets another type: dropped before and created again after, in the same transaction.

PostgreSQL refuses the type while a view uses the column. The revision reads the views from the catalog when it runs,
since owner and grants differ from one database to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change
from alembic_pgpatterns.autogenerate.rewrite.column_swap import swaps
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import RetypeUnderViewsOp


def with_views_apart(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Join the new types of each table's columns that views use, since each view has to go and come back once."""
    groups: dict[Any, list[Change]] = {}
    for change in changes:
        if _views(change.up, facts):
            groups.setdefault(facts.key_of(change.up), []).append(change)
    result: list[Change] = []
    for change in changes:
        group = groups.get(facts.key_of(change.up), []) if _views(change.up, facts) else None
        if group is None:
            result.append(change)
        elif change is group[0]:
            result.append(_joined(group, facts))
    return result


def _joined(group: Sequence[Change], facts: Facts) -> Change:
    views = [view for change in group for view in _views(change.up, facts)]
    back = [op for change in reversed(group) for op in change.down]
    retyped = [op for op in back if isinstance(op, ops.AlterColumnOp)]
    others = tuple(op for op in back if not isinstance(op, ops.AlterColumnOp))
    down = (RetypeUnderViewsOp(retyped, views), *others) if retyped else others
    op = RetypeUnderViewsOp([change.up for change in group if isinstance(change.up, ops.AlterColumnOp)], views)
    comments = tuple(comment for change in group for comment in change.comments)
    return replace(group[0], up=op, down=down, comments=comments)


def _views(op: ops.MigrateOperation, facts: Facts) -> tuple[str, ...]:
    """The views that have to go for an op, if nothing else depends on them."""
    if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None or facts.is_new(op.schema, op.table_name):
        return ()
    if swaps(op, facts):
        return ()
    return facts.droppable_views(facts.key(op.schema, op.table_name), str(op.column_name))
