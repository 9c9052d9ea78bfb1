"""How rows become different where a key requires it: by the number of the row, or by combining values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.references import Reference
from alembic_pgpatterns.rehearsal.rows.text import Expression
from alembic_pgpatterns.schema.model import Index, Table
from alembic_pgpatterns.schema.sql.sqltext import column_references

NUMBER = sql.SQL("r.n")
"""The number of the row, from 0."""


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns that must differ together. ``hard``: in all rows; else in some rows, or as an expression."""

    columns: frozenset[str]
    hard: bool
    nulls_not_distinct: bool = False


@dataclass(slots=True)
class Arrangement:
    """What makes the rows different.

    ``unique``: columns whose value follows the row's number. ``digits``: stride and size of what is combined, by the
    name of a column, or of a reference's first column. ``rows``: as many as the keys allow. ``conflicts``: a row may
    still be refused.
    """

    rows: int
    unique: set[str] = field(default_factory=set)
    digits: dict[str, tuple[int, int]] = field(default_factory=dict)
    conflicts: bool = False


def unique_keys(table: Table) -> list[UniqueKey]:
    """The keys of a table, the primary key first, then the shortest."""
    result = []
    for index in sorted((i for i in table.indexes if i.unique or i.constraint_kind == "exclusion"), key=_rank):
        columns = _columns(index)
        plain = index.predicate is None and all(key.column is not None for key in index.keys)
        hard = plain and index.constraint_kind != "exclusion"
        result.append(UniqueKey(columns, hard, index.nulls_not_distinct is True))
    return result


def _rank(index: Index) -> tuple[bool, int]:
    return index.constraint_kind != "primary key", len(index.keys)


def _columns(index: Index) -> frozenset[str]:
    expressions = (column_references(str(key.expression)) for key in index.keys if key.column is None)
    named = {key.column for key in index.keys if key.column is not None}
    return frozenset(named | {name for names in expressions for name in names or ()})


def arrange(
    keys: Sequence[UniqueKey],
    rows: int,
    capacity: Callable[[str], int | None],
    references: Mapping[str, Reference],
) -> Arrangement:
    """Choose what makes rows different for each key.

    Args:
        keys: of the table.
        rows: wished for.
        capacity: how many values a column has; None: as many as rows.
        references: by column.
    """
    result = Arrangement(rows)
    for key in keys:
        free = [c for c in sorted(key.columns) if c not in references and _fits(capacity(c), result.rows)]
        if set(free) & result.unique:
            continue
        if free:
            result.unique.add(min(free, key=lambda name: (capacity(name) is not None, name)))
        elif key.hard:
            _combine(key, result, capacity, references)
        else:
            result.conflicts = True
        result.conflicts |= not key.hard
    return result


def _fits(capacity: int | None, rows: int) -> bool:
    return capacity is None or capacity >= rows


def _combine(
    key: UniqueKey,
    result: Arrangement,
    capacity: Callable[[str], int | None],
    references: Mapping[str, Reference],
) -> None:
    """Number the combinations as a clock counts: each part is a digit."""
    sizes = dict(_parts(key.columns, capacity, references))
    stride = 1
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if name in result.digits:
            result.conflicts |= result.digits[name][0] != stride
            stride = result.digits[name][0] * size
        else:
            result.digits[name] = (stride, size)
            stride *= size
    result.rows = min(result.rows, stride)


def _parts(
    columns: Iterable[str], capacity: Callable[[str], int | None], references: Mapping[str, Reference]
) -> Iterable[tuple[str, int]]:
    for column in columns:
        reference = references.get(column)
        if reference is not None:
            yield reference.columns[0], max(reference.size, 1)
        else:
            yield column, capacity(column) or 1


def hashed(salt: int) -> Expression:
    """A pseudo-random number of 0 or more, the same for the same row."""
    # The mask takes the sign away; abs() fails for the smallest bigint.
    return sql.SQL("(pg_catalog.hashint8extended({}, {}) & 9223372036854775807)").format(NUMBER, sql.Literal(salt))


def digit(stride: int, size: int) -> Expression:
    """A part of the row's number: rows that agree in all smaller digits differ in this one."""
    if stride == 1:
        return sql.SQL("({} % {})").format(NUMBER, sql.Literal(size))
    shift = sql.SQL("(pg_catalog.hashint8extended({} % {}, 7) & 1073741823)").format(NUMBER, sql.Literal(stride))
    return sql.SQL("(({} / {} + {}) % {})").format(NUMBER, sql.Literal(stride), shift, sql.Literal(size))
