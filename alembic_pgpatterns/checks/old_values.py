"""The values of the old code's statements, as it writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from alembic_pgpatterns.schema.model import Column, Name

Row = tuple[str | None, ...]
"""Values in PostgreSQL's text form, in the order of the columns."""


class Values:
    """How the old code writes values."""

    def __init__(self, connection: Any) -> None:
        """Of a connection to the database where they are written."""
        self._connection = connection
        self._exists: dict[str, bool] = {}

    def insert(
        self, name: Name, columns: Sequence[Column], rows: Sequence[Row], overriding: str = ""
    ) -> sql.Composable:
        """The INSERT of rows."""
        values = sql.SQL(", ").join(
            sql.SQL("({})").format(sql.SQL(", ").join(self.typed(c, v) for c, v in zip(columns, row, strict=True)))
            for row in rows
        )
        statement = sql.SQL("INSERT INTO {} ({}) {} VALUES {}")
        return statement.format(identifier(name), listed([c.name for c in columns]), sql.SQL(overriding), values)

    def typed(self, column: Column, text: str | None) -> sql.Composable:
        """A value with its old type, as drivers send it; without a type that is gone."""
        if text is None:
            return sql.SQL("NULL")
        kind = column.type.display
        if kind not in self._exists:
            query = "SELECT pg_catalog.to_regtype(%s) IS NOT NULL"
            self._exists[kind] = bool(self._connection.execute(query, (kind,)).fetchone()[0])
        literal = sql.Literal(text)
        return sql.SQL("{}::{}").format(literal, sql.SQL(kind)) if self._exists[kind] else literal


def listed(names: Sequence[str]) -> sql.Composable:
    """Quoted names, with commas between."""
    return sql.SQL(", ").join(map(sql.Identifier, names)) if names else sql.SQL("1")


def identifier(name: Name) -> sql.Identifier:
    """A quoted name with its schema."""
    return sql.Identifier(name.schema, name.name)
