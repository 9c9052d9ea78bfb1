"""How one table gets its rows: the SELECT that makes them."""

from __future__ import annotations

import zlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.keys import NUMBER, Arrangement, digit, hashed
from alembic_pgpatterns.rehearsal.rows.model import ColumnShape
from alembic_pgpatterns.rehearsal.rows.references import Reference
from alembic_pgpatterns.rehearsal.rows.text import Expression
from alembic_pgpatterns.rehearsal.rows.values import TIMES, ColumnPlan, Values
from alembic_pgpatterns.schema.model import Column, Table

FREE, NULL = "free", "null"


@dataclass(frozen=True, slots=True)
class Constant:
    """A value from a condition, as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Copy:
    """The value of another column; ``shift``: one more (1), one less (-1), an hour for times."""

    column: str
    shift: int = 0


Entry = str | Constant | Copy
"""The entry of a template for a column: FREE (any value), NULL, a constant, or another column's value."""
Template = Mapping[str, Entry]


@dataclass(slots=True)
class TablePlan:
    """Everything that determines the rows of one table.

    ``columns``: those that are given a value. ``shapes``: of columns, where statistics are known. ``nulls``: the share
    of NULLs by column. ``templates``: combinations that satisfy the table's conditions; one is chosen per row.
    ``late``: columns of keys whose table is filled later. ``filters``: conditions that most rows satisfy by chance, as
    "a <> b" of two keys; the others are left out.
    """

    table: Table
    columns: tuple[Column, ...]
    plans: dict[str, ColumnPlan]
    references: tuple[Reference, ...]
    arrangement: Arrangement
    shapes: Mapping[str, ColumnShape] = field(default_factory=dict)
    nulls: dict[str, float] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()
    late: frozenset[str] = frozenset()
    filters: tuple[str, ...] = ()
    seed: int = 1

    @property
    def by_column(self) -> dict[str, Reference]:
        """The reference that a column belongs to."""
        return {name: reference for reference in self.references for name in reference.columns}

    def select(self, values: Values, low: int, high: int, templates: bool = True) -> sql.Composed:
        """The rows of the numbers from ``low`` to ``high``, both included."""
        named = [
            sql.SQL("{} AS {}").format(self._chosen(column, values, templates), sql.Identifier(column.name))
            for column in self.columns
        ]
        joins = [reference.join(self._pick(reference)) for reference in self.references if reference.size]
        return sql.SQL("SELECT {} FROM generate_series({}::bigint, {}::bigint) AS r(n){}").format(
            sql.SQL(", ").join(named), sql.Literal(low), sql.Literal(high), sql.SQL("").join(joins)
        )

    def with_computed(self, inner: sql.Composable, names: Container[str]) -> sql.Composed:
        """Rows with the generated columns that are among the names."""
        computed = [
            sql.SQL(", ({}) AS {}").format(sql.SQL(column.generated.expression), sql.Identifier(column.name))
            for column in self.table.columns
            if column.name in names and column.generated is not None and isinstance(column.generated.expression, str)
        ]
        return sql.SQL("SELECT pgpatterns_rows.*{} FROM ({}) pgpatterns_rows").format(sql.SQL("").join(computed), inner)

    def insert(self, values: Values, low: int, high: int) -> sql.Composed:
        """The statement that inserts these rows into the table."""
        target = sql.Identifier(self.table.name.schema, self.table.name.name)
        if not self.columns:
            each = sql.SQL("SELECT FROM generate_series({}::bigint, {}::bigint)")
            return sql.SQL("INSERT INTO {} {}").format(target, each.format(sql.Literal(low), sql.Literal(high)))
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns)
        ending = sql.SQL(" ON CONFLICT DO NOTHING" if self.arrangement.conflicts else "")
        # GENERATED ALWAYS AS IDENTITY refuses a value otherwise.
        statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE {}{}")
        return statement.format(target, names, self._filtered(self.select(values, low, high), names), ending)

    def _filtered(self, rows: sql.Composed, names: sql.Composed) -> sql.Composed:
        if not self.filters:
            return rows
        all_columns = self.with_computed(rows, {column.name for column in self.table.columns})
        holds = sql.SQL(" AND ").join(sql.SQL("({}) IS NOT FALSE").format(sql.SQL(item)) for item in self.filters)
        return sql.SQL("SELECT {} FROM ({}) s WHERE {}").format(names, all_columns, holds)

    def _chosen(self, column: Column, values: Values, templates: bool) -> Expression:
        """The value of a column by the row's template."""
        free = self._value(column, values)
        entries = [template.get(column.name, FREE) for template in self.templates] if templates else []
        if all(entry == FREE for entry in entries):
            return free
        return self.entry_case(column, values, entries, hashed(3))

    def entry_case(self, column: Column, values: Values, entries: Sequence[Entry], number: Expression) -> Expression:
        """A CASE over the entries of a column, by a number that wraps around."""
        cases = [
            sql.SQL("WHEN {} THEN {}").format(sql.Literal(position), self.entry(column, values, entry))
            for position, entry in enumerate(entries)
        ]
        return sql.SQL("CASE ({}) % {} {} END").format(number, sql.Literal(len(entries)), sql.SQL(" ").join(cases))

    def entry(self, column: Column, values: Values, entry: Entry) -> Expression:
        """The expression of one entry."""
        spelled = sql.SQL(column.type.display)
        if isinstance(entry, Constant):
            return sql.SQL("{}::{}").format(sql.Literal(entry.text), spelled)
        if isinstance(entry, Copy):
            other = self.table.column(entry.column)
            assert other is not None
            unit = sql.SQL("interval '1 hour'" if column.type.name in TIMES else "1")
            moved = sql.SQL(" + ({} * {})").format(sql.Literal(entry.shift), unit) if entry.shift else sql.SQL("")
            return sql.SQL("({}{})::{}").format(self.plain(other, values), moved, spelled)
        return self.plain(column, values) if entry == FREE else _null(column)

    def _value(self, column: Column, values: Values) -> Expression:
        """The plain value, or NULL for the column's share of the rows."""
        share = self.nulls.get(column.name, 0.0)
        reference = self.by_column.get(column.name)
        if share <= 0 or self._is_key(column.name, reference):
            return self.plain(column, values)
        # Columns of one reference are NULL together.
        salt = self._salt(reference.columns[0] if reference is not None else column.name) + 1
        return sql.SQL("CASE WHEN {} % 1000 >= {} THEN {} END").format(
            hashed(salt), sql.Literal(round(share * 1000)), self.plain(column, values)
        )

    def _is_key(self, name: str, reference: Reference | None) -> bool:
        key = self.table.primary_key
        return (key is not None and name in key.columns) or (reference is not None and name not in reference.optional)

    def plain(self, column: Column, values: Values) -> Expression:
        """The column's value for the row, not NULL if possible."""
        reference = self.by_column.get(column.name)
        if reference is not None:
            return reference.value(column.name, self._pick(reference)) if reference.size else _null(column)
        if column.name in self.late and column.nullable:
            return _null(column)
        return values.expression(self.plans[column.name], self._index(column, values))

    def _pick(self, reference: Reference) -> Expression:
        name = reference.columns[0]
        if name in self.arrangement.digits:
            return digit(*self.arrangement.digits[name])
        size = reference.size
        shape = self.shapes.get(name)
        if shape is not None and shape.distinct:
            size = max(1, min(size, _distinct(shape, self.arrangement.rows)))
        return self._spread(shape, self._salt(name), size)

    def _index(self, column: Column, values: Values) -> Expression:
        """The number from which the column's value is made."""
        name = column.name
        if name in self.arrangement.unique:
            return NUMBER
        if name in self.arrangement.digits:
            return digit(*self.arrangement.digits[name])
        shape = self.shapes.get(name)
        if column.type.name in TIMES and (shape is None or not shape.distinct):
            return NUMBER
        distinct = max(self.arrangement.rows // 10, 100)
        if shape is not None and shape.distinct:
            distinct = _distinct(shape, self.arrangement.rows)
        # Near 1, pg_stats.correlation says that the values lie in the table in their order, as those of a clock do.
        if shape is not None and abs(shape.correlation) > 0.9:
            return sql.SQL("({} * {} / {})").format(
                NUMBER, sql.Literal(distinct), sql.Literal(self.arrangement.rows + 1)
            )
        return self._spread(shape, self._salt(name), max(distinct, 1))

    def _spread(self, shape: ColumnShape | None, salt: int, size: int) -> Expression:
        """A number below ``size``: the first ones as often as the most common values are."""
        plain = sql.SQL("({} % {})").format(hashed(salt), sql.Literal(size))
        common = shape.common[: min(size, 100)] if shape is not None else ()
        if not common:
            return plain
        cases, share = [], 0.0
        for number, frequency in enumerate(common):
            share += frequency
            cases.append(
                sql.SQL("WHEN {} % 10000 < {} THEN {}").format(
                    hashed(salt + 2), sql.Literal(round(share * 10000)), sql.Literal(number)
                )
            )
        return sql.SQL("(CASE {} ELSE {} END)").format(sql.SQL(" ").join(cases), plain)

    def _salt(self, name: str) -> int:
        # Not hash(), which is another in each process (PYTHONHASHSEED): a rehearsal is to be repeated with the same
        # rows.
        return self.seed * 1_000_003 + zlib.crc32(name.encode()) * 8


def _null(column: Column) -> Expression:
    return sql.SQL("NULL::{}").format(sql.SQL(column.type.display))


def _distinct(shape: ColumnShape, rows: int) -> int:
    """pg_stats.n_distinct: below zero it is minus the share of the rows."""
    return max(1, round(shape.distinct if shape.distinct > 0 else -shape.distinct * rows))
