"""A constraint that gets another name: after every change that finds it by the name that it has in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, name_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp
from alembic_pgpatterns.schema.names import quote

_DROPS = (ops.DropIndexOp, ops.DropConstraintOp, ops.DropTableOp, ops.DropColumnOp)


class RenameConstraintOp(AlterTableOp):
    """``ALTER TABLE … RENAME CONSTRAINT``."""

    old_name: str
    columns: tuple[str, ...] = ()
    """Of the table, that the constraint is about."""

    @classmethod
    def of(cls, table: tuple[str | None, str], old: str, new: str, columns: Iterable[str] = ()) -> RenameConstraintOp:
        """Give a constraint of a table another name.

        Args:
            table: its schema and name.
            old: the name that it has.
            new: the name that it gets.
            columns: of the table, that the constraint is about.
        """
        alter = f"ALTER TABLE {'.'.join(quote(part) for part in table if part)} RENAME CONSTRAINT"
        op = cls(table, f"{alter} {quote(old)} TO {quote(new)}", f"{alter} {quote(new)} TO {quote(old)}", new)
        op.old_name, op.columns = old, tuple(columns)
        return op


def with_renames_last(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Return the changes with the new names of constraints behind all others.

    What the others drop, replace or make again has the name that was read from the database, in every file of the
    revision and in its downgrade. Only a rename that frees a name for another change stays where it is.

    Args:
        changes: the changes in autogenerate's order.
        facts: the facts of the run.
    """
    last: list[Change] = []
    for change in changes:
        if isinstance(change.up, RenameConstraintOp) and not _frees_a_name(change.up, changes, facts):
            last += [change, *(other for other in changes if _is_about(other.up, change.up, facts))]
    moved = {id(change) for change in last}
    return [*(change for change in changes if id(change) not in moved), *last]


def _frees_a_name(rename: RenameConstraintOp, changes: Sequence[Change], facts: Facts) -> bool:
    """Whether another change creates an object with the old name, and none has dropped the constraint before."""
    table = facts.key_of(rename)
    same = [op for op in (c.up for c in changes) if facts.key_of(op) == table and name_of(op) == rename.old_name]
    return bool(same) and not any(isinstance(op, _DROPS) for op in same)


def _is_about(op: ops.MigrateOperation, rename: RenameConstraintOp, facts: Facts) -> bool:
    """Whether an op, such as a comment, is about the constraint under its new name."""
    if not isinstance(op, AlterTableOp) or op is rename:
        return False
    return op.object_name == rename.object_name and facts.key_of(op) == facts.key_of(rename)
