"""A constraint that gets another name."""

from __future__ import annotations

from collections.abc import Iterable

from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp
from alembic_pgpatterns.schema.names import quote


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
