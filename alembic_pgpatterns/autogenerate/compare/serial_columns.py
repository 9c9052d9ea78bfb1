"""Columns that count with a sequence of their own, as ``serial`` does, added to a table that is there already.

Alembic renders the plain type, and takes the default away from a ``serial`` column that it reflects.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import Column, DefaultClause, text

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm, Forms
from alembic_pgpatterns.autogenerate.compare.identity import create_words, is_serial, option_clauses
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp
from alembic_pgpatterns.schema.names import quote

Table = tuple[str | None, str]
_DEFAULTS = {"seqincrement": 1, "seqmin": 1, "seqmax": 2**63 - 1, "seqstart": 1, "seqcache": 1, "seqcycle": False}
"""What CREATE SEQUENCE takes where nothing is said."""


def with_sequences(state: TableState) -> None:
    """Let the new columns of a table count that ``create_all()`` would make serial."""
    for op in [op for op in state.modify.ops if isinstance(op, ops.AddColumnOp)]:
        form = state.printed.forms.columns.get(op.column.name)
        if form is not None and is_serial(form) and op.column.server_default is None:
            form = replace(form, unlogged_sequence=state.unlogged_sequences)
            place = next(i for i, other in enumerate(state.modify.ops) if other is op)
            state.modify.ops[place : place + 1] = counting(state.table, op, form)


def counting(table: Table, op: ops.AddColumnOp, form: ColumnForm) -> list[ops.MigrateOperation]:
    """The op that adds a column, with those that create its sequence and let the column own it.

    The sequence comes first, so that existing rows are numbered. A column that goes takes it along.
    """
    name, default = _names(table, form)
    column: Column[Any] = op.column._copy()
    column.server_default = DefaultClause(text(default))
    added = ops.AddColumnOp(op.table_name, column, schema=op.schema)
    vars(added).update({**vars(op), "column": column})
    create = f"{create_words(form)} IF NOT EXISTS {name} {_options(form)}"
    take_over = f"ALTER SEQUENCE {name} OWNED BY {_qualified(table)}.{quote(form.name)}"
    return [AlterTableOp(table, create, None, form.name), added, AlterTableOp(table, take_over, None, form.name)]


def counting_again(table: Table, form: ColumnForm) -> list[ops.MigrateOperation]:
    """The ops that let a column of a table without rows count."""
    name, default = _names(table, form)
    column = f"{_qualified(table)}.{quote(form.name)}"
    create = f"{create_words(form)} {name} {_options(form)} OWNED BY {column}"
    alter = f"ALTER TABLE {_qualified(table)} ALTER COLUMN {quote(form.name)} SET DEFAULT {default}"
    return [AlterTableOp(table, create, None, form.name), AlterTableOp(table, alter, None, form.name)]


def counts_again(create: ops.CreateTableOp, forms: Forms) -> list[ops.MigrateOperation]:
    """The ops for the serial columns of a table that a downgrade creates, but for the one that SQLAlchemy knows."""
    made_serial = create.to_table().autoincrement_column
    return [
        op
        for form in forms.columns.values()
        if is_serial(form) and (made_serial is None or made_serial.name != form.name)
        for op in counting_again((create.schema, str(create.table_name)), form)
    ]


def _names(table: Table, form: ColumnForm) -> tuple[str, str]:
    """The sequence's quoted name, and the default that takes its values."""
    # On a temporary table the sequence is in pg_temp; the real one is beside the table.
    name = (form.owned_sequence or "").rpartition(".")[2]
    qualified = f"{quote(table[0])}.{name}" if table[0] else name
    literal = qualified.replace("'", "''")
    return qualified, f"nextval('{literal}')"


def _options(form: ColumnForm) -> str:
    return " ".join((f"AS {form.type}", *option_clauses(form.sequence, _DEFAULTS)))


def _qualified(table: Table) -> str:
    return ".".join(quote(part) for part in table if part)
