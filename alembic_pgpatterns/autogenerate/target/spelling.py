"""Expressions of the models, in a form that can be created.

SQLAlchemy leaves out the parentheses that PostgreSQL's grammar demands in two places: around a key of an index (``NOT
flag``, ``CASE``; docs, "CREATE INDEX": only a function call needs none), and around a DEFAULT in CREATE TABLE (``now()
at time zone 'utc'``; gram.y has b_expr there). And it has no literal form for a ``regconfig``, bytes or a JSON
document, so that ``func.to_tsvector('english', …)`` and ``document.contains({…})`` work in queries only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ColumnClause,
    Computed,
    DefaultClause,
    Index,
    MetaData,
    TextClause,
    literal_column,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import BindParameter, Grouping, UnaryExpression
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, expression_text
from alembic_pgpatterns.schema.sql.binds import escape_binds
from alembic_pgpatterns.schema.sql.sqltext import is_statement, is_whole_default


def spell(metadata: MetaData) -> None:
    """Change the expressions of indexes, columns and CHECKs that could not be created as they are.

    Args:
        metadata: a copy of the application's.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            _spell_index(index)
        for column in table.columns:
            _spell_column(column)
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint):
                constraint.sqltext = _with_literals(constraint.sqltext)


def _spell_index(index: Index) -> None:
    expressions: Any = index.expressions
    # In place: SQLAlchemy copies an index from another attribute, which holds the same list.
    expressions[:] = [_index_key(item) for item in expressions]
    options = index.dialect_options["postgresql"]
    if hasattr(options["where"], "compile"):
        options["where"] = _with_literals(options["where"])


def _index_key(key: Any) -> Any:
    if isinstance(key, ColumnClause) and not key.is_literal:
        return key
    key = _with_literals(key)
    place = "CREATE INDEX ON t ({})"
    if isinstance(key, UnaryExpression) and key.modifier is not None:
        # DESC, NULLS LAST and the like stand outside of the parentheses.
        inner = key.element
        while isinstance(inner, UnaryExpression) and inner.modifier is not None:
            inner = inner.element
        if _enclosed(_written(inner), place) is None:
            return key
        return _replaced(key, {id(inner): Grouping(inner)})
    written = _written(key if isinstance(key, ColumnClause) else key.self_group())
    if _enclosed(written, place) is None:
        return key
    return text(f"({key.text})") if isinstance(key, TextClause) else Grouping(key)


def _spell_column(column: Column[Any]) -> None:
    default: Any = column.server_default
    if isinstance(default, Computed):
        default.sqltext = _with_literals(default.sqltext)
    elif isinstance(default, DefaultClause) and not isinstance(default.arg, str):
        default.arg = _with_literals(default.arg)
        enclosed = _enclosed(_written(default.arg), "CREATE TABLE t (c text DEFAULT {})", is_whole_default)
        if enclosed is not None:
            default.arg = text(escape_binds(enclosed))


def _with_literals(expression: Any) -> Any:
    """The expression with literal text for the parameters whose type has none in SQLAlchemy."""
    parts = [] if isinstance(expression, TextClause) else iterate(expression)
    literals = {id(part): _literal(part) for part in parts if isinstance(part, BindParameter) and _needs_literal(part)}
    return _replaced(expression, literals) if literals else expression


def _needs_literal(parameter: BindParameter[Any]) -> bool:
    """Whether SQLAlchemy has no literal for a value, such as the text of a date in ``cast('2030-01-01', Date)``."""
    value, kind = parameter.value, parameter.type.dialect_impl(DIALECT)
    if isinstance(value, bytes):
        return True
    if not isinstance(value, str) and not (isinstance(kind, JSON) and isinstance(value, dict | list)):
        return False
    processor = kind.literal_processor(DIALECT)
    try:
        return processor is None or not processor(value)
    except Exception:
        # Whatever the type's Python code does with a value of another type.
        return True


def _literal(parameter: BindParameter[Any]) -> ColumnClause[Any]:
    if isinstance(parameter.value, bytes):
        # SQLAlchemy writes the bytes as text, in which \\ and NUL mean something else (docs, "Binary Data Types").
        return literal_column(f"'\\x{parameter.value.hex()}'::bytea", parameter.type)
    value = parameter.value if isinstance(parameter.value, str) else json.dumps(parameter.value, ensure_ascii=False)
    return literal_column("'" + value.replace("'", "''") + "'", parameter.type)


def _replaced(expression: Any, replacements: Mapping[int, Any]) -> Any:
    """A copy of an expression with other parts in place of some, which are named by their ``id``."""

    traverse: Any = replacement_traverse
    return traverse(expression, {}, lambda part, **_: replacements.get(id(part)))


def _written(expression: Any) -> str | None:
    try:
        return expression_text(expression)
    except (SQLAlchemyError, NotImplementedError):
        return None  # new_tables.refusal() says it


@lru_cache(maxsize=4096)
def _enclosed(expression: str | None, place: str, accepts: Callable[[str], bool] = is_statement) -> str | None:
    """The expression in parentheses, if a place in a statement takes it only so."""
    if expression is None or accepts(place.replace("{}", expression)):
        return None
    enclosed = f"({expression})"
    return enclosed if accepts(place.replace("{}", enclosed)) else None
