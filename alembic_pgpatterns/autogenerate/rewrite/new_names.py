"""Constraints and indexes that get another name."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table, qualified
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds

Table = tuple[str | None, str]
"""Schema and name, in the form that ops have."""


class RenameOp(AlterTableOp):
    """A new name for a constraint or an index; ``object_name`` is that of the models, also in the undoing op."""

    old_name: str
    columns: tuple[str, ...] = ()
    """Of the table, that the constraint or index is about."""
    of_index = False
    has_index = False
    """Whether a constraint has an index, which gets the same name."""

    @classmethod
    def constraint(
        cls, table: Table, old: str, new: str, columns: Iterable[str] = (), has_index: bool = False
    ) -> RenameOp:
        """Give a constraint of a table another name.

        Args:
            table: its schema and name.
            old: the name that it has.
            new: the name that it gets.
            columns: of the table, that the constraint is about.
            has_index: whether it is a key or an EXCLUDE.
        """
        alter = f"{alter_table(*table)} RENAME CONSTRAINT"
        op = cls(table, f"{alter} {quote(old)} TO {quote(new)}", f"{alter} {quote(new)} TO {quote(old)}", new)
        op.old_name, op.columns, op.has_index = old, tuple(columns), has_index
        return op

    @classmethod
    def index(cls, table: Table, old: str, new: str, columns: Iterable[str] = ()) -> RenameOp:
        """Give an index of a table another name.

        Args:
            table: its schema and name.
            old: the name that it has.
            new: the name that it gets.
            columns: of the table, that the index is about.
        """
        op = cls(table, rename_index(table[0], old, new), rename_index(table[0], new, old), new)
        op.old_name, op.columns, op.of_index = old, tuple(columns), True
        return op

    def reverse(self) -> RenameOp:
        """The old name again."""
        assert self.undo is not None
        back = copy.copy(self)
        back.statement, back.undo, back.sqltext = self.undo, self.statement, escape_binds(self.undo)
        return back


def rename_index(schema: str | None, old: str, new: str) -> str:
    """Return the statement that gives an index another name.

    Args:
        schema: of its table, or None.
        old: the name that it has.
        new: the name that it gets.
    """
    return f"ALTER INDEX {qualified(schema, old)} RENAME TO {quote(new)}"
