"""Rows that a foreign key may refer to, numbered from 0, so that a row can pick one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.model import Unfillable
from alembic_pgpatterns.rehearsal.rows.order import nullable
from alembic_pgpatterns.rehearsal.rows.text import Expression
from alembic_pgpatterns.schema.model import ForeignKey, Name, Table

MOST_PAIRS = 2_000_000
"""The most combinations of rows where keys share columns."""
WHOLE = ("int2", "int4", "int8")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Reference:
    """Foreign keys that share columns, or a single one.

    ``optional``: columns that may be NULL, all at once, where the row refers to nothing. ``relation``: a temporary
    table of the referred values with a number ``k``; None where they are the whole numbers from ``low`` on.
    """

    columns: tuple[str, ...]
    optional: tuple[str, ...]
    size: int
    relation: str | None = None
    low: int = 0

    def value(self, column: str, pick: Expression) -> Expression:
        """The value of one of the columns for the picked number."""
        if self.relation is None:
            return sql.SQL("({} + ({}))").format(sql.Literal(self.low), pick)
        return sql.Identifier(self.relation, column)

    def join(self, pick: Expression) -> Expression:
        """The join that gives `value` its value."""
        if self.relation is None:
            return sql.SQL("")
        name = sql.Identifier(self.relation)
        return sql.SQL(" LEFT JOIN {} ON {}.k = ({})").format(name, name, pick)


def references(
    connection: Any, table: Table, keys: Sequence[ForeignKey], conditions: Sequence[tuple[frozenset[str], str]] = ()
) -> tuple[Reference, ...]:
    """The references of foreign keys. Keys that share a column are one reference.

    ``conditions``: on the table, each with the columns it is about; rows that cannot be referred to are left out.

    Raises:
        Unfillable: a key that is NOT NULL leads to a table without rows.
    """
    result = []
    for group in _groups(keys):
        usable = [key for key in group if _has_rows(connection, key)]
        for key in group:
            if key not in usable and not nullable(table, key):
                raise Unfillable(f"foreign key {key.name}: {key.referred_table} has no rows to refer to")
        dropped = [key for key in group if key not in usable]
        while usable:
            reference = _reference(connection, table, usable, conditions)
            if reference.size:
                result.append(reference)
                break
            dropped.append(usable.pop(_least_needed(table, usable)))
        taken = {name for key in usable for name in key.columns}
        absent = tuple(dict.fromkeys(n for key in dropped for n in key.columns if n not in taken))
        if absent:
            result.append(Reference(absent, absent, 0))
    return tuple(result)


def _least_needed(table: Table, keys: Sequence[ForeignKey]) -> int:
    for number, key in enumerate(keys):
        if nullable(table, key):
            return number
    names = ", ".join(str(key.name) for key in keys)
    raise Unfillable(f"foreign keys {names} share columns, and no rows of their tables agree")


def _groups(keys: Iterable[ForeignKey]) -> list[list[ForeignKey]]:
    groups: list[list[ForeignKey]] = []
    for key in keys:
        touching = [group for group in groups if any(set(key.columns) & set(other.columns) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([other for group in touching for other in group] + [key])
    return groups


def _has_rows(connection: Any, key: ForeignKey) -> bool:
    name = _name(key.referred_table)
    return bool(connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(name)).fetchone()[0])


def _name(name: Name) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)


def _reference(
    connection: Any, table: Table, keys: Sequence[ForeignKey], conditions: Sequence[tuple[frozenset[str], str]]
) -> Reference:
    columns = tuple(dict.fromkeys(name for key in keys for name in key.columns))
    optional = _optional(table, keys)
    demanded = [expression for about, expression in conditions if about and about <= set(columns)]
    if len(keys) == 1 and len(columns) == 1 and not demanded:
        # Most keys refer to numbers without gaps. There a sum gives the value, and no join is needed.
        bounds = _contiguous(connection, table, keys[0])
        if bounds is not None:
            return Reference(columns, optional, bounds[1], low=bounds[0])
    # A table, since each chunk of rows and each trial joins it: a subquery would number the rows again for each.
    relation = f"pgpatterns_rows_{next(_numbers)}"
    connection.execute(_numbered(relation, columns, keys, demanded))
    # Autovacuum cannot see temporary tables (docs, "The Autovacuum Daemon").
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(relation)))
    size = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(relation))).fetchone()[0]
    return Reference(columns, optional, size, relation)


def _optional(table: Table, keys: Sequence[ForeignKey]) -> tuple[str, ...]:
    """Columns to set to NULL in a row without a reference; none if a key requires a row."""
    if not all(nullable(table, key) for key in keys):
        return ()
    columns = [table.column(name) for key in keys for name in key.columns]
    return tuple(dict.fromkeys(c.name for c in columns if c is not None and c.nullable))


def _contiguous(connection: Any, table: Table, key: ForeignKey) -> tuple[int, int] | None:
    """The least value and the number of values, if they are whole numbers without gaps."""
    column = table.column(key.columns[0])
    if column is None or column.type.name not in WHOLE or column.type.array:
        return None
    query = sql.SQL("SELECT min({0})::bigint, max({0})::bigint, count({0}) FROM {1}")
    low, high, count = connection.execute(
        query.format(sql.Identifier(key.referred_columns[0]), _name(key.referred_table))
    ).fetchone()
    return (low, count) if count and high - low + 1 == count else None


def _numbered(
    relation: str, columns: Sequence[str], keys: Sequence[ForeignKey], demanded: Sequence[str]
) -> sql.Composed:
    """The values of all columns, from the referenced tables, joined if the keys share a column."""
    source: dict[str, sql.Composable] = {}
    parts: list[sql.Composable] = []
    not_null: list[sql.Composable] = []
    for number, key in enumerate(keys):
        alias = sql.Identifier(f"p{number}")
        pairs = [
            (column, sql.SQL("{}.{}").format(alias, sql.Identifier(referred)))
            for column, referred in zip(key.columns, key.referred_columns, strict=True)
        ]
        shared = [sql.SQL("{} = {}").format(source[column], value) for column, value in pairs if column in source]
        on = sql.SQL(" AND ").join(shared) if shared else sql.SQL("true")
        item = sql.SQL("{} AS {}").format(_name(key.referred_table), alias)
        parts.append(sql.SQL("{} ON {}").format(item, on) if number else item)
        not_null += [sql.SQL("{} IS NOT NULL").format(value) for _, value in pairs]
        source = {**dict(pairs), **source}
    holds = [sql.SQL("({}) IS NOT FALSE").format(sql.SQL(expression)) for expression in demanded]
    return sql.SQL(
        "CREATE TEMPORARY TABLE {} AS SELECT row_number() OVER () - 1 AS k, s.* FROM "
        "(SELECT {} FROM {} WHERE {} LIMIT {}) s WHERE {}"
    ).format(
        sql.Identifier(relation),
        sql.SQL(", ").join(sql.SQL("{} AS {}").format(source[name], sql.Identifier(name)) for name in columns),
        sql.SQL(" JOIN ").join(parts),
        sql.SQL(" AND ").join(not_null),
        sql.Literal(MOST_PAIRS if len(keys) > 1 else None),
        sql.SQL(" AND ").join(holds) if holds else sql.SQL("true"),
    )
