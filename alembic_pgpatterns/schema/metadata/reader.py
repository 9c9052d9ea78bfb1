"""The schema that an application's models declare, from SQLAlchemy's MetaData. No database is used.

Expressions (defaults, checks, predicates, index keys) are SQL text as it would be sent, not PostgreSQL's normal form:
compare their parse trees with the catalog's, never their text. Row-level security, owners, replica identity and
privileges are UNKNOWN or absent. The MetaData and its objects are not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy import Table as ModelTable
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry

from alembic_pgpatterns.schema.collector import without_collector
from alembic_pgpatterns.schema.metadata.columns import Context, read_columns
from alembic_pgpatterns.schema.metadata.constraints import (
    merged_keys,
    read_check,
    read_foreign_key,
    read_key,
    table_items,
)
from alembic_pgpatterns.schema.metadata.indexes import backing_index, read_exclusion, read_index
from alembic_pgpatterns.schema.metadata.names import final_name, model_dialect
from alembic_pgpatterns.schema.metadata.origins import Origins
from alembic_pgpatterns.schema.metadata.other_databases import other_databases
from alembic_pgpatterns.schema.metadata.others import read_relationships, read_sequences
from alembic_pgpatterns.schema.metadata.partitions import partitioning
from alembic_pgpatterns.schema.metadata.types import ModelTypes
from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.schema.names import Name, truncate
from alembic_pgpatterns.schema.others import ModelMetaData
from alembic_pgpatterns.schema.overlong import overlong_names
from alembic_pgpatterns.schema.parsed import SqlParser
from alembic_pgpatterns.schema.parts import Column
from alembic_pgpatterns.schema.types import DataType


def read(
    metadata: MetaData | Several[MetaData],
    parser: SqlParser,
    *,
    default_schema: str = "public",
    target_version: int | None = None,
    registries: Several[registry] = (),
    root: Path | None = None,
    dialect: Dialect | None = None,
    located: bool = True,
) -> Schema:
    """Everything in the models that a pattern may need.

    Args:
        metadata: one or several; if two have a table of the same name, the first one counts.
        parser: parses the SQL in them.
        default_schema: of tables without a schema.
        target_version: PostgreSQL's major version in production.
        registries: those whose relationships are read; this configures their mappers.
        root: locations below it are given relative to it; None is the current folder.
        dialect: the application's, because a few types (CHAR under a TypeDecorator) differ with the driver; None is
            SQLAlchemy's default for PostgreSQL.
        located: whether to find out where objects are declared, which searches every imported module.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: mappers of ``registries`` cannot be configured.
    """
    metadatas = [metadata] if isinstance(metadata, MetaData) else list(metadata)
    with without_collector():
        target_dialect = model_dialect(target_version, dialect)
        context = Context(
            dialect=target_dialect,
            compiler=target_dialect.ddl_compiler(target_dialect, None),  # type: ignore[arg-type]
            types=ModelTypes(target_dialect, default_schema, parser),
            default_schema=default_schema,
            origins=Origins(metadatas, registries, root, located),
            sql=parser,
        )
        schema = _read(context, metadatas, registries)
        return replace(schema, server_version=target_version, overlong=overlong_names(schema))


def _read(context: Context, metadatas: list[MetaData], registries: Several[registry]) -> Schema:
    models = {context.table_name(table): table for table in reversed(list(_tables(metadatas)))}
    tables = _Tables(context, models)
    return Schema(
        source="models",
        tables=tuple(tables.table(name) for name in sorted(models)),
        default_schema=context.default_schema,
        sequences=read_sequences(context, metadatas, models, tables.columns),
        metadatas=tuple(_metadata(context, item, number) for number, item in enumerate(metadatas, 1)),
        relationships=read_relationships(context, registries) if registries else None,
    )


def _tables(metadatas: Several[MetaData]) -> Iterator[ModelTable]:
    for metadata in metadatas:
        for table in metadata.tables.values():
            # Views (SQLAlchemy 2.1) and temporary tables are not tables of the schema.
            temporary = any(prefix.upper().startswith("TEMP") for prefix in table._prefixes)
            if not getattr(table, "is_view", False) and not temporary:
                yield table


class _Tables:
    def __init__(self, context: Context, models: dict[Name, ModelTable]) -> None:
        self._context = context
        self._models = models
        self.columns = {name: read_columns(context, table) for name, table in models.items()}
        self._types = {name: {item.name: item.type for item in columns} for name, columns in self.columns.items()}

    def type_of(self, table: Name, column: str) -> DataType | None:
        """The type of a column of any of the tables."""
        return self._types.get(table, {}).get(column)

    def table(self, name: Name) -> Table:
        """One table with all its parts."""
        model = self._models[name]
        result = Table(
            name=name,
            persistence="unlogged" if _has_prefix(model, "UNLOGGED") else "permanent",
            inherits=_inherits(self._context, model),
            columns=self.columns[name],
            comment=model.comment,
            origin=self._context.origins.of_table(model),
        )
        return self._with_indexes(self._with_constraints(partitioning(result, model, self._context.sql), model), model)

    def _with_constraints(self, table: Table, model: ModelTable) -> Table:
        context, columns = self._context, _by_name(table)
        items = table_items(context, model)
        # PostgreSQL creates the primary key first.
        items.sort(key=lambda item: not isinstance(item, PrimaryKeyConstraint))
        declared = [
            read_key(context, item, table.name)
            for item in items
            if isinstance(item, (PrimaryKeyConstraint, UniqueConstraint))
        ]
        keys = merged_keys([key for key in declared if key is not None])
        return replace(
            table,
            primary_key=next((key for key in keys if key.primary), None),
            unique_constraints=tuple(key for key in keys if not key.primary),
            foreign_keys=tuple(
                read_foreign_key(context, item, table.name, columns, self.type_of)
                for item in items
                if isinstance(item, ForeignKeyConstraint)
            ),
            checks=tuple(
                read_check(context, item, table.name, columns) for item in items if isinstance(item, CheckConstraint)
            ),
        )

    def _with_indexes(self, table: Table, model: ModelTable) -> Table:
        columns = _by_name(table)
        keys = [key for key in (table.primary_key, *table.unique_constraints) if key is not None]
        indexes = [backing_index(key, columns) for key in keys]
        for index in model.indexes:
            read_one = read_index(self._context, index, table.name, columns)
            indexes += [read_one] if read_one else []
        exclusions = []
        for item in table_items(self._context, model):
            if isinstance(item, ExcludeConstraint):
                exclusion, backing = read_exclusion(self._context, item, table.name, columns)
                exclusions.append(exclusion)
                indexes += [backing] if backing else []
        ordered = sorted(indexes, key=lambda index: (index.name.name, index.columns != (), str(index.keys)))
        return replace(table, indexes=tuple(ordered), exclusions=tuple(exclusions))


def _by_name(table: Table) -> dict[str, Column]:
    """Columns by name and by the first 63 bytes of the name: PostgreSQL's parser cuts longer names in SQL."""
    return {truncate(column.name): column for column in table.columns} | {
        column.name: column for column in table.columns
    }


def _has_prefix(model: ModelTable, prefix: str) -> bool:
    return any(str(item).upper() == prefix for item in model._prefixes)


def _inherits(context: Context, model: ModelTable) -> tuple[Name, ...]:
    parents: Any = model.dialect_options["postgresql"]["inherits"] or ()
    return tuple(context.name(None, parent) for parent in ((parents,) if isinstance(parents, str) else parents))


def _index_template(convention: Mapping[Any, Any]) -> str | None:
    template = convention.get("ix", convention.get(Index))
    return template if isinstance(template, str) else None


def _metadata(context: Context, metadata: MetaData, number: int) -> ModelMetaData:
    unnamed = [
        item
        for table in metadata.tables.values()
        for item in table_items(context, table)
        if not (isinstance(item, PrimaryKeyConstraint) and not item.columns)
        and final_name(item, context.dialect) is None
    ]
    convention: dict[Any, Any] = dict(metadata.naming_convention)
    template = convention.get("ck", convention.get(CheckConstraint))
    return ModelMetaData(
        label="MetaData" if number == 1 else f"MetaData {number}",
        convention=frozenset(map(str, convention)),
        unnamed_constraints=len(unnamed),
        origin=context.origins.of_metadata(metadata),
        check_template=template if isinstance(template, str) else None,
        index_template=_index_template(convention),
        databases=other_databases(metadata),
    )
