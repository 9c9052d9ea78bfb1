"""The enums and domains inside of a type of SQLAlchemy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, Column, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.named_types import CreateDomainType, CreateEnumType
from sqlalchemy.types import SchemaType, TypeEngine, UserDefinedType

from alembic_pgpatterns.schema.names import quote

# "named": others double each percent sign for the driver, and op.execute() does so itself.
_dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


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


def composites_of(kind: TypeEngine[Any]) -> list[Any]:
    """Return the composite types that a type consists of, the inner first.

    SQLAlchemy has no class for them. Others, such as SQLAlchemy-Utils, have a named type with columns.
    """
    if isinstance(kind, TypeDecorator):
        return composites_of(kind.impl_instance)
    if isinstance(kind, ARRAY):
        return composites_of(kind.item_type)
    if not (isinstance(kind, UserDefinedType) and isinstance(kind, SchemaType) and kind.name):
        return []
    fields = getattr(kind, "columns", None)
    if not isinstance(fields, list | tuple) or not fields or not all(isinstance(field, Column) for field in fields):
        return []
    return [*(inner for field in fields for inner in composites_of(field.type)), kind]


def create_composite(kind: Any, schema: str | None = None) -> str:
    """Return the SQL that creates a composite type.

    Args:
        kind: of `composites_of`.
        schema: in place of its own.
    """
    compiler = _dialect.type_compiler_instance
    fields = ", ".join(f"{quote(str(field.name))} {compiler.process(field.type)}" for field in kind.columns)
    name = ".".join(quote(part) for part in (schema or kind.schema, str(kind.name)) if part)
    return f"CREATE TYPE {name} AS ({fields})"


def create_statement(item: Any) -> str:
    """Return the SQL that creates an enum or a domain."""
    element = CreateEnumType(item) if isinstance(item, postgresql.ENUM) else CreateDomainType(item)
    return str(element.compile(dialect=_dialect)).strip()
