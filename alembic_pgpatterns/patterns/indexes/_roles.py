"""The role of a column, by its type, name and default."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from alembic_pgpatterns.patterns._words import names_any
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Table
from alembic_pgpatterns.schema.sql.values import columns, constant, required

TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})
STATUS_NAMES = ("status", "state")


def is_status(column: Column, names: Iterable[str] = STATUS_NAMES) -> bool:
    """Whether it holds one of a few states, by its name: a text, a number or an enum."""
    kind = column.type.kind == "enum" or column.type.name in TEXTS or column.type.name in ("int2", "int4")
    return kind and not column.type.array and names_any(column.name, names)


def default_constant(column: Column) -> str | None:
    """The constant that a new row gets, from the server's default, or from the models' default."""
    if column.default is UNKNOWN or column.generated is not None:
        return None
    if column.default is not None:
        return constant(column.default)
    return None if column.python_default in (UNKNOWN, None) else _python_constant(str(column.python_default))


def reads(index: Index, column: str) -> bool:
    """Whether the index uses the column: as a key, in an expression, after INCLUDE, or in WHERE.

    An expression that is not known from the models is assumed to read the column.
    """
    if index.predicate is UNKNOWN or any(key.expression is UNKNOWN for key in index.keys):
        return True
    expressions = [key.expression for key in index.keys if isinstance(key.expression, str)]
    if index.predicate is not None:
        expressions.append(index.predicate)
    return column in index.columns or column in index.include or any(column in columns(text) for text in expressions)


def never_null(table: Table, column: Column) -> bool:
    """Whether the column cannot be null: by its own NOT NULL, its domain's, or a CHECK."""
    if not column.nullable or column.type.domain_not_null:
        return True
    texts = (check.expression for check in table.checks if check.validated and check.enforced)
    return any(text is not UNKNOWN and column.name in required(text) for text in texts)


def _python_constant(text: str) -> str | None:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    # As PostgreSQL spells it.
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else None
