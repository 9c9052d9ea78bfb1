"""The names that PostgreSQL gives to unnamed constraints (``makeObjectName`` in commands/indexcmds.c)."""

from __future__ import annotations

from alembic.operations import ops
from sqlalchemy import CheckConstraint, Constraint, ForeignKeyConstraint
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.rewrite.changes import table_of
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, expression_text, sql_text
from alembic_pgpatterns.schema.names import object_name
from alembic_pgpatterns.schema.sql import sqltext


class Names:
    """Free names in a schema: neither in the database nor returned before."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._used: set[tuple[str, str]] = set()
        self._dropped: set[tuple[str, str]] = set()

    def drop(self, schema: str | None, table: str, name: str) -> None:
        """Free a name: an earlier op drops its constraint."""
        self._dropped.add((self._facts.key(schema, table)[0], name))

    def free(self, schema: str | None, table: str, columns: str, label: str) -> str:
        """Return the first free name of ``table_columns_label``, ``table_columns_label1``, …"""
        place = self._facts.key(schema, table)[0]
        for suffix in ("", *map(str, range(1, 1000))):
            name = object_name(table, columns, f"{label}{suffix}")
            exists = (place, name) not in self._dropped and self._facts.name_exists(place, name)
            if (place, name) not in self._used and not exists:
                self._used.add((place, name))
                return name
        raise AssertionError(f"a thousand constraints named like {table}_{columns}_{label}")


def default_name(op: ops.AddConstraintOp, names: Names) -> conv | None:
    """Return the name PostgreSQL would give, or None for a kind that autogenerate does not write."""
    schema, table = table_of(op)
    if isinstance(op, ops.CreateForeignKeyOp):
        return conv(names.free(schema, str(table), "_".join(op.local_cols), "fkey"))
    if isinstance(op, ops.CreateUniqueConstraintOp):
        return conv(names.free(schema, str(table), "_".join(op.columns), "key"))
    if isinstance(op, ops.CreateCheckConstraintOp):
        columns = sqltext.column_references(sql_text(op.condition)) or ()
        column = str(getattr(op, "of_column", ""))
        return conv(names.free(schema, str(table), column if column in columns else "", "check"))
    return None


def names_of_new_table(op: ops.CreateTableOp, names: Names) -> dict[int, conv]:
    """Names for unnamed constraints of a new table to which PostgreSQL would give one and the same name.

    PostgreSQL numbers them in their order, and Alembic writes them in another order than ``create_all()``.

    Returns:
        The names by ``id`` of the constraint.
    """
    unnamed = [item for item in op.columns if isinstance(item, Constraint) and not isinstance(item.name, str)]
    parts = [(item, _parts(item)) for item in sorted(unnamed, key=_order)]
    kinds = [part for _, part in parts if part is not None]
    twice = {part for part in kinds if kinds.count(part) > 1}
    return {
        id(item): conv(names.free(op.schema, str(op.table_name), *part))
        for item, part in parts
        if part is not None and part in twice
    }


def _order(item: Constraint) -> int:
    return item._creation_order


def _parts(item: Constraint) -> tuple[str, str] | None:
    """The columns and the label in the name of a constraint; None for a kind that needs no number."""
    if isinstance(item, CheckConstraint) and applies(item):
        columns = sqltext.column_references(expression_text(item.sqltext)) or ()
        return ("".join(columns) if len(columns) == 1 else "", "check")
    if isinstance(item, ForeignKeyConstraint):
        return ("_".join(column.name for column in item.columns), "fkey")
    return None


def applies(check: CheckConstraint) -> bool:
    """Whether SQLAlchemy creates a CHECK on PostgreSQL, which has native booleans and enums."""
    rule = getattr(check, "_create_rule", None)
    return rule is None or bool(rule(DIALECT.statement_compiler(DIALECT, None)))
