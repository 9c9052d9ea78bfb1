"""What rows without a value get before a column becomes NOT NULL: the default that the models have for new rows."""

from __future__ import annotations

import enum
import json
from typing import Any

from sqlalchemy import ARRAY, Column, Enum, literal, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp, expression_text

FILLING = "_pgpatterns_filling"
"""The attribute of an alter_column that holds the value for rows without one, as SQL."""

COMMON_LABELS = "pgpatterns_common_labels"
"""The key of a column's ``info`` that holds the labels of its enum that it has before and after the revision."""

ASK = "..."
"""The value that only a person knows: the statement is then written as a comment to complete."""


class FillOp(SqlOp):
    """Sets a column where it is NULL."""

    def __init__(self, statement: str, value: str, table: tuple[str | None, str]) -> None:
        super().__init__(statement)
        self.fills = table
        self.value = value
        """SQL; ``DEFAULT`` for the column's own default."""


def value_for_rows(column: Column[Any]) -> str | None:
    """The default in Python as SQL; None if there is none, or only Python can compute it."""
    default: Any = column.default
    if default is None or not (default.is_scalar or default.is_clause_element):
        return None
    if isinstance(column.type, types.JSON) and isinstance(default.arg, dict | list):
        return expression_text(literal(json.dumps(default.arg, ensure_ascii=False)))
    if isinstance(default.arg, bytes):
        return f"'\\x{default.arg.hex()}'::bytea"
    try:
        value = _stored(default.arg, column.type)
        return expression_text(literal(value, column.type) if default.is_scalar else default.arg)
    except (SQLAlchemyError, NotImplementedError, ValueError, TypeError):
        # A type of the application may have no form in SQL for the value.
        return None


def _stored(value: Any, kind: Any) -> Any:
    """A member of a Python enum as its label, where the type has forgotten the class.

    alembic-postgresql-enum gives new columns another type, which only has the labels.
    """
    if isinstance(kind, ARRAY) and isinstance(value, list | tuple):
        return [_stored(each, kind.item_type) for each in value]
    if not isinstance(value, enum.Enum) or not isinstance(kind, Enum) or kind.enum_class is not None:
        return value
    return value.name if value.name in kind.enums else value.value


_STAND_INS: tuple[tuple[Any, str], ...] = (
    (types.Boolean, "false"),
    ((types.Integer, types.Numeric), "0"),
    # Once for the whole statement, so that no row is written (stable, not volatile: docs, "ALTER TABLE", Notes).
    (types.DateTime, "now()"),
    (types.Date, "CURRENT_DATE"),
    (types.Time, "'00:00'"),
    ((types.Interval, postgresql.INTERVAL), "'0'"),
    # Not a random one, for which every row would be written.
    (types.Uuid, "'00000000-0000-0000-0000-000000000000'"),
    ((types.JSON, types.ARRAY), "'{}'"),
    ((types.String, types.LargeBinary, postgresql.TSVECTOR, postgresql.HSTORE), "''"),
    # Since SQLAlchemy 2.0.17.
    (getattr(postgresql.ranges, "AbstractMultiRange", ()), "'{}'"),
    (postgresql.ranges.AbstractRange, "'empty'"),
    ((postgresql.INET, postgresql.CIDR), "'0.0.0.0/0'"),
)


def stand_in(column: Column[Any]) -> str | None:
    """A value of a column's type, as SQL, for rows whose own is lost; None if no value is obvious."""
    kind = column.type
    if isinstance(kind, Enum):
        # A downgrade adds the column before its enum gets its old labels back.
        labels = column.info.get(COMMON_LABELS, kind.enums)
        return expression_text(literal(labels[0])) if labels else None
    return next((value for classes, value in _STAND_INS if isinstance(kind, classes)), None)
