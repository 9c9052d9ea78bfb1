"""Columns from models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Computed, Identity, SmallInteger, Table
from sqlalchemy import Sequence as ModelSequence
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import FetchedValue
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.types import TypeDecorator

from alembic_pgpatterns.schema import parts
from alembic_pgpatterns.schema.metadata.names import made_up_name
from alembic_pgpatterns.schema.metadata.origins import Origins
from alembic_pgpatterns.schema.metadata.python_defaults import python_default, python_onupdate
from alembic_pgpatterns.schema.metadata.types import ModelTypes
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import UNKNOWN, Unknown
from alembic_pgpatterns.schema.parsed import SqlParser
from alembic_pgpatterns.schema.types import DataType

_INTEGERS = {"smallint": "int2", "integer": "int4", "bigint": "int8"}


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by the parts of the metadata reader."""

    dialect: PGDialect
    compiler: DDLCompiler
    types: ModelTypes
    default_schema: str
    origins: Origins
    sql: SqlParser

    def name(self, schema: str | None, name: str) -> Name:
        """A qualified name."""
        return Name(str(schema) if schema is not None else self.default_schema, str(name))

    def table_name(self, table: Table) -> Name:
        """The table's qualified name."""
        return self.name(table.schema, table.name)


def read_columns(context: Context, table: Table) -> tuple[parts.Column, ...]:
    """The columns that create_all would make, in the same order."""
    columns = [column for column in table.columns if not column.system]
    return tuple(_column(context, column, position) for position, column in enumerate(columns, 1))


def _column(context: Context, column: Column[Any], position: int) -> parts.Column:
    table = context.table_name(column.table)
    serial = is_serial(context.dialect, column)
    sequence: Name | Unknown | None = _sequence(context, column)
    default = _default(context, column)
    if serial:
        sequence = Name(table.schema, made_up_name(table.name, str(column.name), "seq"))
        default = f"nextval('{str(sequence).replace(chr(39), chr(39) * 2)}'::regclass)"
    return parts.Column(
        table=table,
        name=str(column.name),
        type=serial_type(context, column) if serial else context.types.data_type(column.type),
        nullable=bool(column.nullable) and not column.identity and not serial,
        position=position,
        default=default,
        python_default=python_default(column) or context.origins.factory_default(column),
        python_onupdate=python_onupdate(column),
        identity=_identity(context, column),
        generated=_generated(context, column),
        sequence=sequence,
        comment=column.comment,
        null_stated=_null_stated(context, column),
        of_subclass=context.origins.is_of_subclass(column),
        origin=context.origins.of_column(column),
    )


def _null_stated(context: Context, column: Column[Any]) -> bool:
    """Whether the models say that null is meant, and do not only leave it open."""
    return bool(column.nullable) and (
        getattr(column, "_user_defined_nullable", None) is True
        or context.origins.null_annotated(column)
        or context.origins.defaults_to_null(column)
    )


def is_serial(dialect: PGDialect, column: Column[Any]) -> bool:
    """Whether the dialect writes SERIAL for it (PGDDLCompiler.get_column_specification)."""
    default = column.default
    return (
        column.primary_key
        and column is column.table._autoincrement_column
        and not isinstance(column.server_default, Identity)
        and (default is None or (isinstance(default, ModelSequence) and bool(default.optional)))
    )


def serial_type(context: Context, column: Column[Any]) -> DataType:
    """The integer type behind SERIAL: the Python class decides it, not the SQL that the type compiles to."""
    sql_type = column.type.dialect_impl(context.dialect)
    if isinstance(sql_type, TypeDecorator):
        sql_type = sql_type.impl_instance
    display = "integer"
    if isinstance(sql_type, BigInteger):
        display = "bigint"
    elif isinstance(sql_type, SmallInteger):
        display = "smallint"
    return DataType(_INTEGERS[display], display=display)


def _default(context: Context, column: Column[Any]) -> str | Unknown | None:
    default = column.server_default
    if default is None or isinstance(default, (Computed, Identity)):
        return None
    try:
        text = context.compiler.get_column_default_string(column)
    except Exception:
        # An element that this dialect cannot compile: all we know is that there is a default.
        return UNKNOWN
    return text if text is not None else UNKNOWN if isinstance(default, FetchedValue) else None


def _sequence(context: Context, column: Column[Any]) -> Name | None:
    if isinstance(column.default, ModelSequence):
        return context.name(column.default.schema, column.default.name)
    default = _default(context, column)
    names = context.sql.sequence_of(default) if isinstance(default, str) and "nextval" in default.lower() else None
    return context.name(names[-2] if len(names) > 1 else None, names[-1]) if names else None


def _identity(context: Context, column: Column[Any]) -> parts.Identity | None:
    identity = column.identity
    if identity is None:
        return None
    table = context.table_name(column.table)
    return parts.Identity(
        always=bool(identity.always),
        sequence=Name(table.schema, made_up_name(table.name, str(column.name), "seq")),
    )


def _generated(context: Context, column: Column[Any]) -> parts.Generated | None:
    computed = column.computed
    if computed is None:
        return None
    try:
        text: str | Unknown = context.compiler.sql_compiler.process(
            computed.sqltext, include_table=False, literal_binds=True
        )
    except Exception:
        text = UNKNOWN
    virtual = getattr(context.dialect, "supports_virtual_generated_columns", False) and not computed.persisted
    return parts.Generated(text, stored=not virtual)
