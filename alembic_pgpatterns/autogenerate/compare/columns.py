"""Columns that are in the models and in the database: types, collations, defaults, identity, generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Computed, DefaultClause, Identity

from alembic_pgpatterns.autogenerate.compare import generated, identity
from alembic_pgpatterns.autogenerate.compare.casts import with_casts
from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm
from alembic_pgpatterns.autogenerate.compare.serial_columns import with_sequences
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.columns import default_text
from alembic_pgpatterns.autogenerate.rewrite.filling import FILLING, value_for_rows
from alembic_pgpatterns.schema.names import quote

LEFT_DEFAULTS = "pgpatterns_left_defaults"
"""The migration context's option that holds the columns with a default that only the database has."""
SHOWN = 3
"""Number of these columns that are named."""


def compare_columns(state: TableState) -> TableState:
    """Correct the ops for the columns of a table.

    Returns:
        The state without the objects that disappear with a column that must be created again.
    """
    for column, expected, actual in _pairs(state):
        _compare_type(state, column, expected, actual)
        _compare_nullable(state, column, expected, actual)
    for column, expected, actual in _pairs(state):
        if not (expected.generated or actual.generated):
            _compare_default(state, column, expected, actual)
            identity.compare_identity(state, column, expected, actual)
    with_sequences(state)
    state = generated.compare_generated(state, _pairs(state))
    state.modify.ops[:] = [with_casts(op, state) for op in state.modify.ops]
    generated.move_behind_their_sources(state)
    return state


def _pairs(state: TableState) -> list[tuple[Any, ColumnForm, ColumnForm]]:
    forms = state.printed.forms.columns
    pairs = [(c, forms.get(c.name), state.actual.columns.get(c.name)) for c in state.declared.columns]
    return [(c, expected, actual) for c, expected, actual in pairs if expected is not None and actual is not None]


def _compare_type(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> None:
    """Correct Alembic's result for the type. If a callable of the user compares types, its result counts."""
    # compare_type of context.configure(), which is True by default (since Alembic 1.12); Alembic has no public name for
    # it.
    if state.context.migration_context._user_compare_type is not True:
        return
    op = state.alter_op(column.name)
    same = (expected.type, expected.collation) == (actual.type, actual.collation)
    if same and op is not None and op.modify_type is not None:
        op.modify_type = None
        state.drop_if_empty(op)
    elif not same and (op is None or op.modify_type is None):
        included = op is not None or state.includes(
            column, column.name, "column", False, state.reflected.columns.get(column.name)
        )
        if included:
            op = op or state.new_alter_op(column.name)
            op.modify_type = column.type


def _compare_nullable(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> None:
    """Correct what SQLAlchemy reflected: NOT NULL of a domain is not the column's."""
    op = state.alter_op(column.name)
    if op is not None and op.modify_nullable is False:
        setattr(op, FILLING, value_for_rows(column))
    if op is not None and op.modify_nullable is not None and expected.nullable == actual.nullable:
        op.modify_nullable = None
        op.existing_nullable = actual.nullable
        state.drop_if_empty(op)


def _compare_default(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> None:
    """Correct Alembic's result for the default.

    A default that the models declare is always compared. One that only the database has is dropped if env.py sets
    ``compare_server_default``: many migrations leave a default for code of the version before.
    """
    compare = state.context.migration_context._user_compare_server_default
    if callable(compare) or identity.is_counted(expected) or identity.is_counted(actual):
        return
    op = state.alter_op(column.name)
    if _is_set_elsewhere(column) or _same_default(state, column, expected, actual):
        if op is not None and op.modify_server_default is not False:
            op.modify_server_default = False
            state.drop_if_empty(op)
    elif compare or column.server_default is not None:
        # Declared, but no default by then: ``server_default=null()``.
        op = op or state.new_alter_op(column.name)
        op.existing_server_default = state.reflected.columns[column.name].server_default
        op.modify_server_default = column.server_default
    else:
        left = state.context.migration_context.opts.setdefault(LEFT_DEFAULTS, [])
        left.append(f"{state.qualified}.{quote(column.name)}")


def left_defaults(names: Sequence[str]) -> str:
    """Return the line for the console that names columns with a default that only the database has."""
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"pgpatterns: the database has a default that the models do not have: {shown}{more}. Autogenerate drops it "
        "only with context.configure(compare_server_default=True) in env.py, since older code may need it"
    )


def _is_set_elsewhere(column: Any) -> bool:
    """Whether the models say that the database has a default, such as a trigger's, and not which: ``FetchedValue()``.

    Alembic 1.20 writes it into the op, which fails.
    """
    default = column.server_default
    return default is not None and not isinstance(default, DefaultClause | Computed | Identity)


def _same_default(state: TableState, column: Any, expected: ColumnForm, actual: ColumnForm) -> bool:
    if expected.default is None or actual.default is None:
        return expected.default is actual.default
    form = replace(actual, name=column.name)
    if state.same.defaults(form, expected.default, actual.default):
        return True
    # On a column whose type changes: as the models write it, on the old type.
    written = default_text(column.server_default)
    return expected.type != actual.type and written is not None and state.same.defaults(form, written, actual.default)
