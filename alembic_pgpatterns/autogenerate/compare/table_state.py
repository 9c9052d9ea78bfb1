"""One table as the comparators see it: in the models, in the database, and the ops for it so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import Table

from alembic_pgpatterns.autogenerate.compare.forms import Forms
from alembic_pgpatterns.autogenerate.compare.sameness import Sameness
from alembic_pgpatterns.autogenerate.compare.scratch import Printed
from alembic_pgpatterns.schema.names import quote

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


@dataclass(frozen=True, slots=True)
class TableState:
    """A table that is in the models and in the database."""

    context: AutogenContext
    modify: ops.ModifyTableOps
    """Alembic's ops for the table, which are corrected in place."""
    schema: str | None
    name: str
    reflected: Table
    """As Alembic reflected it from the database."""
    declared: Table
    """Of the target metadata."""
    printed: Printed
    """What the models declare, as PostgreSQL prints it."""
    actual: Forms
    """What the database has."""
    same: Sameness

    @property
    def table(self) -> tuple[str | None, str]:
        """Schema and name, in the form that ops have."""
        return (self.schema, self.name)

    @property
    def default_schema(self) -> str:
        """The schema of tables without one."""
        return str(getattr(self.context.dialect, "default_schema_name", None) or "public")

    @property
    def server_version(self) -> int:
        """The major version of the connected server."""
        version = getattr(self.context.dialect, "server_version_info", None)
        return int(version[0]) if version else 0

    @property
    def unlogged_sequences(self) -> bool:
        """Whether PostgreSQL makes the sequences of the table's columns UNLOGGED (from version 15 on)."""
        return self.actual.persistence == "u" and self.server_version >= 15

    @property
    def alter(self) -> str:
        """``ALTER TABLE`` with the table's name."""
        return f"ALTER TABLE {self.qualified}"

    @property
    def qualified(self) -> str:
        """The table's quoted name."""
        return ".".join(quote(part) for part in (self.schema, self.name) if part)

    def add(self, *operations: ops.MigrateOperation) -> None:
        """Append ops."""
        self.modify.ops.extend(operations)

    def add_first(self, op: ops.MigrateOperation) -> None:
        """Put an op before all others of the table."""
        self.modify.ops.insert(0, op)

    def remove(self, unwanted: Iterable[ops.MigrateOperation]) -> None:
        """Remove ops of Alembic."""
        ids = {id(op) for op in unwanted}
        self.modify.ops[:] = [op for op in self.modify.ops if id(op) not in ids]

    def alter_op(self, name: str) -> ops.AlterColumnOp | None:
        """Alembic's op for a column, if it has one."""
        alters = (op for op in self.modify.ops if isinstance(op, ops.AlterColumnOp) and op.column_name == name)
        return next(alters, None)

    def new_alter_op(self, name: str) -> ops.AlterColumnOp:
        """Append an op for a column for which Alembic has no change."""
        reflected = self.reflected.columns[name]
        op = ops.AlterColumnOp(
            self.name,
            name,
            schema=self.schema,
            existing_type=reflected.type,
            existing_nullable=reflected.nullable,
            existing_server_default=reflected.server_default or False,
            existing_comment=reflected.comment,
        )
        self.add(op)
        return op

    def drop_if_empty(self, op: ops.AlterColumnOp) -> None:
        """Remove an op that changes nothing any more."""
        if not op.has_changes():
            self.remove([op])

    def includes(self, item: Any, name: str | None, kind: str, reflected: bool, other: Any = None) -> bool:
        """Whether the user's filters let an object through."""
        if reflected and not self.includes_name(name, kind):
            return False
        return bool(self.context.run_object_filters(item, name, kind, reflected, other))  # type: ignore[arg-type]

    def includes_name(self, name: str | None, kind: str) -> bool:
        """Whether the user's include_name lets an object of the database through."""
        parents: Any = {"table_name": self.name, "schema_name": self.schema}
        return bool(self.context.run_name_filters(name, kind, parents))  # type: ignore[arg-type]
