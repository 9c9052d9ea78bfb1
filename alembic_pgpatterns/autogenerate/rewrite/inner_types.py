"""The enums and domains inside of a type of SQLAlchemy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def named_types_of(kind: TypeEngine[Any]) -> list[Any]:
    """Return the enums and domains that a type consists of, under its TypeDecorators and arrays, the inner first."""
    stored = stored_type(kind)
    if isinstance(stored, TypeDecorator):
        return named_types_of(stored.impl_instance)
    if isinstance(stored, ARRAY):
        return named_types_of(stored.item_type)
    if isinstance(stored, postgresql.DOMAIN):
        return [*named_types_of(stored.data_type), stored]
    return [stored] if isinstance(stored, postgresql.ENUM) and stored.name else []


def stored_type(kind: TypeEngine[Any]) -> Any:
    """Return a type as the dialect stores it. A domain as it is, since SQLAlchemy before 2.0.45 forgets its CHECK."""
    inner = kind.load_dialect_impl(_dialect) if isinstance(kind, TypeDecorator) else kind
    return inner if isinstance(inner, postgresql.DOMAIN) else kind.dialect_impl(_dialect)
