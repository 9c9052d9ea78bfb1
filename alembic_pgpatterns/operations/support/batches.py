"""Read a table in ranges of rows, in the order of its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import TextClause, text

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.support.relations import TableOrIndex
from alembic_pgpatterns.operations.support.session import fetch
from alembic_pgpatterns.operations.support.template import Name, Template, as_text

if TYPE_CHECKING:
    from alembic.operations import Operations

Position = tuple[str, ...]
"""The place reached so far: the values of the key's columns as PostgreSQL prints them."""


class KeyColumn(NamedTuple):
    """A column of the key and its type, as ``format_type`` writes it."""

    name: str
    type: str

    @property
    def sql(self) -> str:
        """The column, quoted."""
        return quoted(self.name)


def quoted(*path: str | None) -> str:
    """A quoted identifier path for a text(), where a colon begins a parameter and so must be escaped."""
    return as_text(Template("{name}", name=Name(*path))).replace(":", "\\:")


# Without a column that may be NULL: a comparison of rows is NULL then, so the walk would never reach such a row.
_KEYS = """
    SELECT x.indisprimary, ARRAY(
        SELECT ARRAY[a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)]
        FROM unnest(x.indkey[0:x.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
        ORDER BY k.n) AS columns
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'btree'
    WHERE x.indrelid = CAST(:table AS regclass) AND x.indisunique AND x.indisvalid AND x.indpred IS NULL
      AND x.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.indrelid
                      AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1]) AND NOT a.attnotnull)
    ORDER BY x.indisprimary DESC, x.indnkeyatts
"""


def key_of(operations: Operations, table: TableOrIndex, columns: Sequence[str] | None) -> list[KeyColumn]:
    """The primary key, or the key of these *columns*, which must be unique and NOT NULL.

    Raises:
        PgPatternsError: there is no such key.
    """
    keys = [
        [KeyColumn(name, kind.replace(":", "\\:")) for name, kind in row.columns]
        for row in fetch(operations, _KEYS, table=table.quoted)
        if row.indisprimary or columns is not None
    ]
    for key in keys:
        if columns is None or [column.name for column in key] == list(columns):
            return key
    raise errors.PgPatternsError(
        f"{table} has no unique index on NOT NULL columns ({', '.join(columns)})"
        if columns is not None
        else f"{table} has no primary key to give the order; name a unique, NOT NULL key with key=[...]"
    )


class Walk:
    """A table, its key, and the number of rows per range."""

    def __init__(self, operations: Operations, table: TableOrIndex, key: Sequence[KeyColumn], size: int) -> None:
        """*size*: number of rows per range."""
        self._operations = operations
        self._key = key
        self._columns = ", ".join(column.sql for column in key)
        self._table = quoted(table.schema, table.name)
        self._size = size

    def next_bound(self, after: Position | None) -> Position | None:
        """The last key of the next range; None if fewer rows are left than a range has."""
        # Numbered aliases: with an alias equal to the column's name, ORDER BY would sort by the text.
        printed = ", ".join(f"CAST({column.sql} AS text) AS key_{number}" for number, column in enumerate(self._key))
        order = ", ".join(f"walked.{column.sql}" for column in self._key)
        rows = fetch(
            self._operations,
            f"SELECT {printed} FROM {self._table} AS walked WHERE {self._compared('>', 'after', after)} "  # noqa: S608
            f"ORDER BY {order} OFFSET {self._size - 1} LIMIT 1",
            **_parameters("after", after),
        )
        return tuple(rows[0]) if rows else None

    def within(self, after: Position | None, bound: Position | None) -> TextClause:
        """The condition for rows after one key, up to and including another; None is no limit."""
        condition = f"{self._compared('>', 'after', after)} AND {self._compared('<=', 'bound', bound)}"
        return text(condition).bindparams(**_parameters("after", after), **_parameters("bound", bound))

    def _compared(self, operator: str, prefix: str, position: Position | None) -> str:
        if position is None:
            return "true"
        values = ", ".join(
            f"CAST(CAST(:{prefix}_{number} AS text) AS {column.type})" for number, column in enumerate(self._key)
        )
        # A comparison of rows, for which PostgreSQL uses the key's index from one place to the other; a.x > … OR (a.x =
        # … AND …) would read the index from its beginning.
        return f"({self._columns}) {operator} ({values})"


def _parameters(prefix: str, position: Position | None) -> dict[str, str]:
    return {f"{prefix}_{number}": value for number, value in enumerate(position or ())}
