"""Indexes: compared in PostgreSQL's own form, and restored in that form by a downgrade."""

from __future__ import annotations

from typing import Any

from alembic.operations import ops
from sqlalchemy import Index, text
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.compare.constraints import stored_name
from alembic_pgpatterns.autogenerate.compare.forms import Forms, IndexForm
from alembic_pgpatterns.autogenerate.compare.retyped import keeps_index
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.new_names import RenameOp
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds


class DropIndexExactlyOp(ops.DropIndexOp):
    """``op.drop_index``, undone by the index as PostgreSQL printed it: collations and operator classes too."""

    def __init__(self, table: tuple[str | None, str], form: IndexForm) -> None:
        restored = restored_index(table, form)
        super().__init__(conv(form.name), table[1], schema=table[0], unique=form.unique, _reverse=restored)
        self.restored = restored
        self.columns = form.columns
        self.built_again = False
        """The revision builds another index of this name after the drop."""

    def reverse(self) -> ops.CreateIndexOp:
        """Create it again."""
        return self.restored

    def to_index(self, migration_context: Any = None) -> Index:
        """For `alembic check`, and Alembic's own drop."""
        return self.restored.to_index(migration_context)


def restored_index(table: tuple[str | None, str], form: IndexForm) -> ops.CreateIndexOp:
    """An index as PostgreSQL printed it."""
    options: dict[str, Any] = {
        "postgresql_using": form.method if form.method != "btree" else None,
        "postgresql_include": list(form.include) or None,
        "postgresql_where": text(escape_binds(form.predicate)) if form.predicate else None,
        "postgresql_with": dict(option.split("=", 1) for option in form.options) or None,
        "postgresql_nulls_not_distinct": form.nulls_not_distinct or None,
    }
    columns: list[Any] = [_column(key, form) for key in form.keys]
    set_options = {name: value for name, value in options.items() if value is not None}
    return ops.CreateIndexOp(conv(form.name), table[1], columns, schema=table[0], unique=form.unique, **set_options)


def _column(key: str, form: IndexForm) -> Any:
    plain = next((name for name in form.columns if quote(name) == key or f'"{name}"' == key), None)
    return plain if plain is not None else text(escape_binds(key))


def compare_indexes(state: TableState) -> None:
    """Correct the ops for the indexes of a table."""
    _rename(state)
    for index in sorted(state.declared.indexes, key=lambda index: str(index.name)):
        name = stored_name(index, state)
        expected, actual = state.printed.forms.indexes.get(str(name)), state.actual.indexes.get(str(name))
        if expected is None or actual is None or name is None:
            continue
        if state.same.indexes(expected, actual) and keeps_index(state, expected, actual):
            state.remove(_ops_on(state, name))
            continue
        alembics = _ops_on(state, name)
        if alembics or state.includes(index, name, "index", False, _reflected(state, name)):
            # First of all: PostgreSQL may be unable to build it for the new type of a column. Alembic drops it after.
            state.remove(alembics)
            drop = DropIndexExactlyOp(state.table, actual)
            drop.built_again = True
            state.add_first(drop)
            state.add(ops.CreateIndexOp.from_index(index))
    state.modify.ops[:] = [exactly_dropped(op, state.actual) for op in state.modify.ops]
    retyped = {op.column_name for op in state.modify.ops if isinstance(op, ops.AlterColumnOp) and op.modify_type}
    early = [op for op in state.modify.ops if isinstance(op, DropIndexExactlyOp) and retyped & {*op.columns}]
    state.remove(early)
    # PostgreSQL builds them again with the new type, if it can.
    state.modify.ops[:0] = early


def _rename(state: TableState) -> None:
    """Let an index that only has another name in the models keep what it has."""
    declared = state.printed.forms.indexes
    dropped = {str(op.index_name) for op in state.modify.ops if isinstance(op, ops.DropIndexOp)} - {*declared}
    going = [form for name, form in sorted(state.actual.indexes.items()) if name in dropped]
    for op in [op for op in state.modify.ops if isinstance(op, ops.CreateIndexOp)]:
        name = str(op.index_name).encode()[:63].decode(errors="ignore")
        expected = declared.get(name)
        if expected is None or name in state.actual.indexes:
            continue
        same = (form for form in going if state.same.indexes(expected, form) and keeps_index(state, expected, form))
        partner = next(same, None)
        if partner is not None:
            going.remove(partner)
            state.remove([op, *_ops_on(state, partner.name)])
            state.add(RenameOp.index(state.table, partner.name, name, partner.columns))


def _ops_on(state: TableState, name: str) -> list[ops.MigrateOperation]:
    kinds = (ops.CreateIndexOp, ops.DropIndexOp)
    return [op for op in state.modify.ops if isinstance(op, kinds) and str(op.index_name) == name]


def _reflected(state: TableState, name: str) -> Index | None:
    return next((index for index in state.reflected.indexes if index.name == name), None)


def exactly_dropped(op: ops.MigrateOperation, actual: Forms) -> ops.MigrateOperation:
    """Alembic's drop of an index with an exact undo."""
    if not isinstance(op, ops.DropIndexOp) or isinstance(op, DropIndexExactlyOp):
        return op
    form = actual.indexes.get(str(op.index_name))
    return op if form is None else DropIndexExactlyOp((op.schema, str(op.table_name)), form)
