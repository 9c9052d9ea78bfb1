"""Constraints and indexes on a column that gets another type.

PostgreSQL builds them again from what it prints of them. Of ``n + 1`` on a numeric column it prints ``n + 1::numeric``,
and on a column that becomes an integer that is ``n::numeric + 1::numeric``: an index that no query of ``n + 1`` uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.compare.forms import ColumnForm, ConstraintForm, Forms, IndexForm
from alembic_pgpatterns.autogenerate.compare.scratch import print_after, print_texts, type_sql
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.schema.names import quote

_NAME = "pgpatterns_retyped"


def keeps_constraint(state: TableState, expected: ConstraintForm, actual: ConstraintForm) -> bool:
    """Whether a constraint becomes what the models have with the types of its columns, and what it was on the way back.

    Args:
        state: of the table, with the ops for its columns.
        expected: as the models have it.
        actual: as the database has it.
    """
    if actual.kind not in "cx":
        # Keys have no expression that could change.
        return True
    probe = _Probe(state, f"ALTER TABLE {{table}} ADD CONSTRAINT {_NAME} ", lambda forms: forms.constraints[_NAME])
    forward, back = _changes(state, actual.columns)
    return not forward or (
        probe.becomes(state.same.real, actual.sql, forward, expected.definition, state.same.declared)
        and probe.becomes(state.same.declared, expected.sql, back, actual.definition, state.same.real)
    )


def keeps_index(state: TableState, expected: IndexForm, actual: IndexForm) -> bool:
    """The same for an index."""
    probe = _Probe(state, f"CREATE INDEX {_NAME} ON {{table}} USING ", lambda forms: forms.indexes[_NAME])
    forward, back = _changes(state, actual.columns)
    return not forward or (
        probe.becomes(state.same.real, actual.definition, forward, expected.definition, state.same.declared)
        and probe.becomes(state.same.declared, expected.definition, back, actual.definition, state.same.real)
    )


@dataclass(frozen=True, slots=True)
class _Probe:
    """Tries an object on temporary tables."""

    state: TableState
    create: str
    """The statement that creates it, without its definition."""
    read: Callable[[Forms], ConstraintForm | IndexForm]

    def becomes(self, start: Any, text: str, changes: Sequence[str], expected: str, end: Any) -> bool:
        """Whether, created on a table like ``start`` and changed, it is what is expected on one like ``end``."""
        connection = self.state.same.connection
        forms = print_after(connection, start, [self.create + text, *changes], self.state.printed.types)
        if forms is None:
            return False
        result = self.read(forms).definition
        first, second = print_texts(connection, end, [self.create + result, self.create + expected])
        alike = first is not None and second is not None and self.read(first).definition == self.read(second).definition
        return result == expected or alike


def _changes(state: TableState, columns: Iterable[str]) -> tuple[list[str], list[str]]:
    """The statements that give the columns of the table their new types, and the old ones; none if not of these."""
    changes = [op for op in state.modify.ops if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None]
    if not any(op.column_name in set(columns) for op in changes):
        return [], []
    new, old = state.printed.forms.columns, state.actual.columns
    forward = [_alter(new[op.column_name], op.kw.get("postgresql_using")) for op in changes]
    back = [_alter(old[op.column_name], getattr(op, "using_back", None)) for op in reversed(changes)]
    names = {str(op.column_name) for op in changes}
    return [*_released(old.values(), names), *forward], [*_released(new.values(), names), *back]


def _released(columns: Iterable[ColumnForm], sources: set[str]) -> Iterator[str]:
    """Free columns from the generated ones that read them: PostgreSQL would refuse the new type.

    A stored one stays, with its indexes, as a plain column; on a table like a real one it is plain already. DROP
    EXPRESSION is refused for a virtual one (PostgreSQL 18), but that has no index.
    """
    for column in columns:
        if column.generated and sources & {*column.sources}:
            alter = f"ALTER TABLE {{table}} ALTER COLUMN {quote(column.name)} DROP EXPRESSION IF EXISTS"
            yield alter if column.generated == "s" else f"ALTER TABLE {{table}} DROP COLUMN {quote(column.name)}"


def _alter(column: Any, using: str | None) -> str:
    words = f" USING {using}" if using is not None else ""
    return f"ALTER TABLE {{table}} ALTER COLUMN {quote(column.name)} TYPE {type_sql(column)}{words}"
