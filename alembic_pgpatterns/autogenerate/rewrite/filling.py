"""What rows without a value get before a column becomes NOT NULL: the default that the models have for new rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, literal
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp, expression_text

FILLING = "_pgpatterns_filling"
"""The attribute of an alter_column that holds the value for rows without one, as SQL."""


class FillOp(SqlOp):
    """Sets a column where it is NULL."""

    def __init__(self, statement: str, value: str) -> None:
        super().__init__(statement)
        self.value = value
        """SQL; ``DEFAULT`` for the column's own default."""


def value_for_rows(column: Column[Any]) -> str | None:
    """The default in Python as SQL; None if there is none, or only Python can compute it."""
    default: Any = column.default
    if default is None or not (default.is_scalar or default.is_clause_element):
        return None
    try:
        return expression_text(literal(default.arg, column.type) if default.is_scalar else default.arg)
    except (SQLAlchemyError, NotImplementedError, ValueError, TypeError):
        # A type of the application may have no form in SQL for the value.
        return None
