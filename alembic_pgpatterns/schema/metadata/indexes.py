"""Indexes of models: declared ones, and those of keys and exclusion constraints."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Index as ModelIndex
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql import quoted_name

from alembic_pgpatterns.schema.metadata.columns import Context
from alembic_pgpatterns.schema.metadata.ddl_condition import is_for_postgresql
from alembic_pgpatterns.schema.metadata.names import final_name, joined_columns, made_up_name
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import UNKNOWN, Unknown
from alembic_pgpatterns.schema.parsed import IndexText, KeyText
from alembic_pgpatterns.schema.parts import Column, ConstraintKind, Exclusion, Index, IndexKey, Key
from alembic_pgpatterns.schema.sql.opclasses import default_class, family_of

Columns = Mapping[str, Column]


def read_index(context: Context, index: ModelIndex, table: Name, columns: Columns) -> Index | None:
    """A declared index; None if PostgreSQL would not get it or could not parse it."""
    if not is_for_postgresql(index, context.compiler):
        return None
    names = tuple(str(column.name) for column in index.columns)
    name = final_name(index, context.dialect) or made_up_name(table.name, joined_columns(names), "idx")
    text = _statement(context, index)
    if text is None:
        return None
    options = index.dialect_options["postgresql"]
    return Index(
        name=Name(table.schema, name),
        table=table,
        method=text.method,
        keys=tuple(_key(context, text.method, key, columns) for key in text.keys),
        include=tuple(columns[name].name if name in columns else name for name in text.include),
        predicate=text.predicate,
        unique=bool(index.unique),
        nulls_not_distinct=bool(options.get("nulls_not_distinct")),
        options=tuple(f"{key}={value}" for key, value in (options.get("with") or {}).items()),
        origin=context.origins.of_item(index, tuple(index.columns)),
    )


def _statement(context: Context, index: ModelIndex) -> IndexText | None:
    if index.name is None:
        # CREATE INDEX without a name does not compile. A copy, so that the application's own object does not change.
        index = copy.copy(index)
        index.name = quoted_name("unnamed", None)
    try:
        return context.sql.parse_index(str(CreateIndex(index).compile(dialect=context.dialect)))
    except Exception:
        # An element that cannot be compiled for PostgreSQL: create_all would fail on it too.
        return None


def read_exclusion(
    context: Context, constraint: ExcludeConstraint, table: Name, columns: Columns
) -> tuple[Exclusion, Index | None]:
    """An EXCLUDE constraint and its index."""
    origin = context.origins.of_item(constraint, tuple(constraint.columns))
    declared = final_name(constraint, context.dialect)
    try:
        # Not AddConstraint(): that would remove the constraint from its table's CREATE TABLE for good.
        text = context.sql.parse_exclusion(f"ALTER TABLE t ADD {context.compiler.process(constraint)}")
    except Exception:
        text = None
    keys = text.keys if text else ()
    # PostgreSQL uses "expr" for an expression (ChooseIndexNameAddition).
    name = declared or made_up_name(table.name, joined_columns(tuple(key.column or "expr" for key in keys)), "excl")
    if text is None:
        return Exclusion(table, declared, index=name, comment=constraint.comment, origin=origin), None
    index = Index(
        name=Name(table.schema, name),
        table=table,
        method=text.method,
        keys=tuple(_key(context, text.method, key, columns) for key in text.keys),
        include=text.include,
        predicate=text.predicate,
        constraint=name,
        constraint_kind="exclusion",
        origin=origin,
    )
    return Exclusion(table, declared, index=name, comment=constraint.comment, origin=origin), index


def backing_index(key: Key, columns: Columns) -> Index:
    """The index behind a primary key or unique constraint."""
    name = key.index or ""
    kind: ConstraintKind = "primary key" if key.primary else "unique"
    plain = KeyText(None, None, (), (), False, False)
    return Index(
        name=Name(key.table.schema, name),
        table=key.table,
        method="btree",
        keys=tuple(_column_key("btree", plain, columns[column]) for column in key.columns),
        include=key.include,
        unique=True,
        nulls_not_distinct=key.nulls_not_distinct,
        constraint=name,
        constraint_kind=kind,
        origin=key.origin,
    )


def _key(context: Context, method: str, key: KeyText, columns: Columns) -> IndexKey:
    if key.column in columns:
        return _column_key(method, key, columns[key.column or ""], context.default_schema)
    opclass = _class(method, key.opclass, context.default_schema)
    return IndexKey(
        column=key.column,
        expression=key.expression,
        opclass=opclass,
        opclass_default=UNKNOWN,
        opfamily=_family(method, opclass),
        collation=_collation(key.collation) if key.collation else UNKNOWN,
        descending=key.descending,
        nulls_first=key.nulls_first,
    )


def _column_key(method: str, key: KeyText, column: Column, default_schema: str = "public") -> IndexKey:
    default = default_class(method, column.type)
    opclass: Name | Unknown = default[0] if default else UNKNOWN
    is_default: bool | Unknown = True
    if key.opclass:
        opclass = _class(method, key.opclass, default_schema)
        is_default = opclass == default[0] if default else UNKNOWN
    collatable = column.type.kind != "unknown"
    return IndexKey(
        column=column.name,
        type=column.type,
        opclass=opclass,
        opclass_default=is_default,
        opfamily=_family(method, opclass),
        collation=_collation(key.collation) if key.collation else column.type.collation if collatable else UNKNOWN,
        descending=key.descending,
        nulls_first=key.nulls_first,
    )


def _class(method: str, names: tuple[str, ...], default_schema: str) -> Name | Unknown:
    if not names:
        return UNKNOWN
    *schema, name = names
    if schema:
        return Name(schema[0], name)
    return Name("pg_catalog" if family_of(method, name) else default_schema, name)


def _family(method: str, opclass: Name | Unknown) -> Name | Unknown:
    if opclass is UNKNOWN or opclass.schema != "pg_catalog":
        return UNKNOWN
    return family_of(method, opclass.name) or UNKNOWN


def _collation(names: tuple[str, ...]) -> Name:
    *schema, name = names
    return Name(schema[0] if schema else "pg_catalog", name)


def key_index_name(context: Context, constraint: Any, table: Name, columns: tuple[str, ...], primary: bool) -> str:
    """The name of a key's index: the constraint's, or the one that PostgreSQL would choose."""
    declared = final_name(constraint, context.dialect)
    if declared is not None:
        return declared
    if primary:
        return made_up_name(table.name, "", "pkey")
    return made_up_name(table.name, joined_columns(columns), "key")
