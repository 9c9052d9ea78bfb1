"""An index that gets another definition: the new one is built beside the old one, so that queries always have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.operations import ops
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.indexes import build_concurrently, drop_concurrently, duplicates
from alembic_pgpatterns.autogenerate.rewrite.new_names import rename_index
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step, touches
from alembic_pgpatterns.patterns.revisions.blocking_index_build import BlockingIndexBuild
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.names import stored


class ReplaceIndexOp(ops.MigrateOperation):
    """The drop of an index and the creation of another one with its name."""

    def __init__(self, drop: ops.DropIndexOp, create: ops.CreateIndexOp) -> None:
        self.drop, self.create = drop, create
        self.alters = (drop, create)
        self.schema, self.table_name, self.index_name = create.schema, create.table_name, create.index_name


def with_indexes_replaced(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Return the changes with one op for each index that is dropped and created again.

    Not where the index cannot be built beside the old one: in a transaction, on a partitioned table, or where another
    change of the revision needs the old one gone.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
    """
    result = list(changes)
    for create in changes:
        drop = next((change for change in changes if _is_replaced(change, create)), None)
        if drop is not None and _can_stay(drop, create, changes, facts):
            back = [ReplaceIndexOp(*pair) for pair in zip(create.down, drop.down, strict=True)]  # type: ignore[arg-type]
            up = ReplaceIndexOp(drop.up, create.up)  # type: ignore[arg-type]
            together = Change(up, tuple(back), (*drop.comments, *create.comments))
            result = [together if change is create else change for change in result if change is not drop]
    return result


def plan_replace_index(op: ReplaceIndexOp, facts: Facts) -> tuple[Step, ...]:
    """Build the new index under another name, drop the old one, and give the new one its name."""
    name, other = stored(op.create.index_name), beside(op)
    reason = (
        f"built concurrently as {other}, which then takes the place of the old one: queries always have an index, and "
        f"no write to {op.table_name} waits"
    )
    operations = (
        # conv: a naming convention must not change it.
        *build_concurrently(altered(op.create, index_name=conv(other))),
        drop_concurrently(op.drop),
        SqlOp(rename_index(op.schema, other, name)),
    )
    note = Note(BlockingIndexBuild.name, f"{name} on {op.table_name}", reason, more=duplicates(op.create))
    return (Step(1, Phase(operations, autocommit=True, notes=(note,)), owns_downgrade=True),)


def beside(op: ReplaceIndexOp) -> str:
    """Return the name of the new index while the old one is there."""
    return fit(f"{stored(op.create.index_name)}_new")


def _is_replaced(drop: Change, create: Change) -> bool:
    old: Any = drop.up
    new: Any = create.up
    if not isinstance(old, ops.DropIndexOp) or not isinstance(new, ops.CreateIndexOp):
        return False
    same = (old.schema, str(old.table_name), str(old.index_name)) == (new.schema, new.table_name, str(new.index_name))
    # A hook of the user may have changed what the downgrade does.
    kinds = [type(op) for op in (*drop.down, *create.down)]
    undone = not kinds or (len(kinds) == 2 and all(map(issubclass, kinds, _UNDOING)))
    return same and undone and len(drop.down) == len(create.down)


_UNDOING = (ops.CreateIndexOp, ops.DropIndexOp)


def _can_stay(drop: Change, create: Change, changes: Sequence[Change], facts: Facts) -> bool:
    """Whether the old index can stay until the new one is there, and the new one be built at the place of its op."""
    op: Any = create.up
    if facts.is_new(op.schema, op.table_name) or facts.is_partitioned(op.schema, op.table_name) or not facts.autocommit:
        return False
    schema = facts.key(op.schema, op.table_name)[0]
    if facts.name_exists(schema, beside(ReplaceIndexOp(drop.up, op))):  # type: ignore[arg-type]
        return False
    old = touches(drop.up, facts)
    others = [change for change in changes if change is not drop and change is not create]
    return not any(touches(other.up, facts).follows(old) for other in others)
