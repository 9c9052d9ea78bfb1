"""The ops of alembic-postgresql-enum, where PostgreSQL accepts them among the others.

They are known by their names: the package may not be installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import DefaultClause

from alembic_pgpatterns.autogenerate.rewrite.changes import Change, adds_labels, altered, name_in_enum_plugin
from alembic_pgpatterns.autogenerate.rewrite.columns import default_text
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.enum_ops import EnumLabelOp, added_labels
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, CreateSchemaOp
from alembic_pgpatterns.schema.names import quote

REPLACES = ("AddEnumValuesOp", "SyncEnumValuesOp")
"""Ops that put a new type in the place of an enum, in the upgrade or in the downgrade."""


class ReleaseOp(AlterTableOp):
    """Drops or creates what is on a column of an enum, beside the package's op that replaces the type."""

    place = "SyncEnumValuesOp"

    def reverse(self) -> ReleaseOp:
        """The undoing statement, at the same place."""
        assert self.undo is not None
        return ReleaseOp((self.schema, self.table_name), self.undo, self.statement, self.object_name)


RELEASED = "_pgpatterns_released"
"""The attribute of the package's op that adds labels: pairs of `ReleaseOp`, for its downgrade to a new type."""


_FIRST = ("CreateEnumOp", "AddEnumValuesOp")
_LAST = "DropEnumOp"


def with_enum_ops_placed(changes: Sequence[Change], facts: Facts) -> list[Change]:
    """Put new types and labels before what uses them, and types that go after the tables that have them.

    The package adds its ops after Alembic's. The rewriter drops tables last, and the plugin always compares defaults,
    so a default could name a label that is not there yet.
    """
    if not facts.enum_plugin:
        return list(changes)
    old = {
        _column(change.up, facts): _text(change.up.existing_server_default)
        for change in changes
        if isinstance(change.up, ops.AlterColumnOp) and change.up.modify_server_default is not False
    }
    new = {_column(c.up, facts) for c in changes if isinstance(c.up, ops.AddColumnOp)}
    placed = [part for change in changes for part in _labelled(_with_references(change, old, new, facts))]
    # Labels go after the tables that go and have them, as in the package's own order.
    late = (_LAST, "SyncEnumValuesOp") if any(isinstance(c.up, ops.DropTableOp) for c in changes) else (_LAST,)
    return sorted(placed, key=lambda change: _place(change.up, late))


Column = tuple[str, str, str]


def _column(op: Any, facts: Facts) -> Column:
    name = op.column.name if isinstance(op, ops.AddColumnOp) else op.column_name
    return (*facts.key(op.schema, op.table_name), str(name))


def _text(default: object) -> str | None:
    return default_text(default) if isinstance(default, DefaultClause) else None


def _with_references(change: Change, old: Mapping[Column, str | None], new: set[Column], facts: Facts) -> Change:
    """Correct the columns that the package's ops name, with their defaults.

    It writes the repr of a default that an alter_column has, which no file can evaluate. And labels that come first go
    last: then the columns of the revision are gone, and the others have their old defaults.
    """

    def corrected(op: Any, first: bool) -> Any:
        columns = []
        for item in getattr(op, "affected_columns", ()):
            default = item.existing_server_default
            key = (*facts.key(item.table_schema or None, item.table_name), item.column_name)
            if first and (key in new or key[:2] in facts.created):
                continue
            text = _text(default) if isinstance(default, DefaultClause) else default
            text = _with_type(old.get(key, text) if first else text, item, op.name)
            columns.append(replace(item, existing_server_default=text))
        return altered(op, affected_columns=columns) if columns else op

    if name_in_enum_plugin(change.up) not in REPLACES:
        return change
    first = adds_labels(change.up)
    released = getattr(change.up, RELEASED, ()) if change.down else ()
    down = (
        *(drop for drop, _ in released),
        *(corrected(op, first) for op in change.down),
        *(create for _, create in reversed(released)),
    )
    return Change(corrected(change.up, False), down, change.comments)


def _with_type(default: str | None, column: Any, enum: str) -> str | None:
    """The default with a cast: the package cuts it off at the first ``::``, and without one the last character."""
    if default is None or "::" in default or not default.startswith("'"):
        return default
    return f"{default}::{enum}{'[]' if 'ARRAY' in str(getattr(column, 'column_type', '')) else ''}"


def _labelled(change: Change) -> list[Change]:
    """The change, with statements for new labels that the package adds at the end alone.

    It writes a label with ``before_value`` after that label (1.11.0).
    """
    op: Any = change.up
    if not adds_labels(op) or list(op.new_values[: len(op.old_values)]) == list(op.old_values):
        return [change]
    first, *others = added_labels(f"{quote(op.schema)}.{quote(op.name)}", op.new_values, op.old_values)[0]
    return [Change(first, change.down, change.comments), *map(Change, others)]


def _place(op: ops.MigrateOperation, late: Sequence[str]) -> int:
    name = op.place if isinstance(op, ReleaseOp) else name_in_enum_plugin(op)
    if isinstance(op, CreateSchemaOp):
        return -2
    return -1 if name in _FIRST or isinstance(op, EnumLabelOp) else int(name in late)
