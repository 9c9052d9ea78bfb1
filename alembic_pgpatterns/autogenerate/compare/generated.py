"""Generated columns: a new expression, to and from a plain column, and types of the columns that they use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.compare.constraints import CHECK, EXCLUDE, UNIQUE, DropConstraintExactlyOp, Kind
from alembic_pgpatterns.autogenerate.compare.dropped import added_constraint
from alembic_pgpatterns.autogenerate.compare.foreign_keys import DropForeignKeyOp
from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm
from alembic_pgpatterns.autogenerate.compare.indexes import DropIndexExactlyOp, restored_index
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.rendering import AlterTableOp, Note
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.schema.names import quote

SET_EXPRESSION = 17
"""First major version with ALTER COLUMN … SET EXPRESSION (PostgreSQL 17 release notes)."""
Pair = tuple[Any, ColumnForm, ColumnForm]


class DropExpressionOp(AlterTableOp):
    """Makes a generated column a plain one. The downgrade adds a new column, with its indexes and constraints."""

    restored: tuple[ops.MigrateOperation, ...] = ()

    def reverse(self) -> ops.MigrateOperation:
        """Restore the column, and its indexes and constraints."""
        return ops.ModifyTableOps(self.table_name, [super().reverse(), *self.restored], schema=self.schema)


def compare_generated(state: TableState, pairs: Iterable[Pair]) -> TableState:
    """Correct the ops for columns that are generated, in the models or in the database."""
    retyped = {op.column_name for op in state.modify.ops if isinstance(op, ops.AlterColumnOp) and op.modify_type}
    for column, expected, actual in pairs:
        if not (expected.generated or actual.generated):
            continue
        op = state.alter_op(column.name)
        if op is not None and op.modify_server_default is not False:
            op.modify_server_default = False
            state.drop_if_empty(op)
        if actual.apart and retyped & {*actual.sources} and _same(state, expected, actual):
            # The new type is written so that the column goes before and comes back after (`kept_objects`).
            continue
        if retyped & {*actual.sources, *((column.name,) if expected.generated != actual.generated else ())}:
            state = _replaced(state, column, actual)
        elif expected.generated == actual.generated:
            if not state.same.expressions(actual, str(expected.default), str(actual.default)):
                state = _new_expression(state, column, expected, actual)
        # DROP EXPRESSION is refused for virtual columns (PostgreSQL 18): they have no stored values to keep.
        elif actual.generated == "s" and not expected.generated:
            _made_plain(state, column, expected, actual)
        else:
            state = _replaced(state, column, actual)
    return state


def _same(state: TableState, expected: ColumnForm, actual: ColumnForm) -> bool:
    """Whether a generated column stays as it is."""
    kinds = [(form.generated, form.type, form.collation, form.nullable) for form in (expected, actual)]
    return kinds[0] == kinds[1] and state.same.expressions(actual, str(expected.default), str(actual.default))


def _new_expression(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> TableState:
    if state.server_version < SET_EXPRESSION:
        return _replaced(state, column, actual)
    alter = f"{state.alter} ALTER COLUMN {quote(column.name)} SET EXPRESSION AS"
    note = None
    if expected.generated == "s":
        reason = "the new expression is computed for every row, under a lock that stops readers and writers"
        note = Note(TableRewrite.name, f"{state.name}.{column.name}", reason)
    state.add(
        AlterTableOp(
            state.table,
            f"{alter} ({expected.default})",
            f"{alter} ({actual.default})",
            column.name,
            note,
            note,
        )
    )
    return state


def _made_plain(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> None:
    """Keep the values. The downgrade computes them again, in a new column."""
    alter = f"{state.alter} ALTER COLUMN {quote(column.name)}"
    generated = f"{quote(column.name)} {actual.type} GENERATED ALWAYS AS ({actual.default}) STORED"
    if not actual.nullable:
        generated += " NOT NULL"
    undo = f"{state.alter} DROP COLUMN {quote(column.name)}, ADD COLUMN {generated}"
    op = DropExpressionOp(state.table, f"{alter} DROP EXPRESSION", undo, column.name)
    op.restored = tuple(
        restored_index(state.table, f) for f in state.actual.indexes.values() if column.name in f.columns
    )
    op.restored += tuple(
        added_constraint(state.table, form)
        for form in state.actual.constraints.values()
        if column.name in form.columns and form.kind != "p"
    )
    state.add(op)
    if expected.default is not None:
        drop = f"{alter} DROP DEFAULT"
        state.add(AlterTableOp(state.table, f"{alter} SET DEFAULT {expected.default}", drop, column.name))


def _replaced(state: TableState, column: Any, actual: ColumnForm) -> TableState:
    """Drop the column and add it as in the models, with the indexes and constraints that disappear with it."""
    name = str(column.name)
    op = state.alter_op(name)
    if op is not None:
        state.remove([op])
    indexes = {n: form for n, form in state.actual.indexes.items() if name in form.columns}
    constraints = {n: form for n, form in state.actual.constraints.items() if name in form.columns}
    # Alembic's own ops for those that the models change or do not have any more.
    state.remove([each for each in state.modify.ops if _is_of_index(each, indexes)])
    dropped: list[ops.MigrateOperation] = [
        *(DropIndexExactlyOp(state.table, form) for form in indexes.values()),
        *(_dropped(state, form) for form in constraints.values() if form.kind != "p"),
    ]
    drop = ops.DropColumnOp.from_column_and_tablename(state.schema, state.name, state.reflected.columns[name])
    state.modify.ops[:0] = [*dropped, drop]
    state.add(ops.AddColumnOp.from_column_and_tablename(state.schema, state.name, column))
    for index in state.declared.indexes:
        if str(index.name) in indexes:
            state.add(ops.CreateIndexOp.from_index(index))
    remaining = replace(
        state.actual,
        indexes={n: form for n, form in state.actual.indexes.items() if n not in indexes},
        constraints={n: form for n, form in state.actual.constraints.items() if n not in constraints},
    )
    return replace(state, actual=remaining)


def _is_of_index(op: ops.MigrateOperation, names: Iterable[str]) -> bool:
    return isinstance(op, ops.CreateIndexOp | ops.DropIndexOp) and str(op.index_name) in names


def _dropped(state: TableState, form: Any) -> ops.MigrateOperation:
    kinds: dict[str, Kind] = {"c": CHECK, "x": EXCLUDE, "u": UNIQUE}
    if form.kind == "f":
        return DropForeignKeyOp(state.table, form, state.default_schema)
    return DropConstraintExactlyOp(state, form, kinds[form.kind])


def move_behind_their_sources(state: TableState) -> None:
    """Add generated columns after the columns that they use have been added or changed, and then what is on them."""
    late = [op for op in state.modify.ops if isinstance(op, ops.AddColumnOp) and op.column.computed is not None]
    if not late:
        return
    state.remove(late)
    kinds = (ops.AddColumnOp, ops.AlterColumnOp, ops.DropColumnOp)
    last = max((i for i, op in enumerate(state.modify.ops) if isinstance(op, kinds)), default=-1)
    first = state.modify.ops[: last + 1]
    made = [op for op in first if isinstance(op, ops.CreateIndexOp | ops.AddConstraintOp)]
    changed = [op for op in first if all(op is not other for other in made)]
    state.modify.ops[: last + 1] = [*changed, *late, *made]
