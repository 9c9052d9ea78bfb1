"""The database's schema, together with what only the models know about the same objects."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.schema.names import Name, truncate
from alembic_pgpatterns.schema.origin import NO_ORIGIN, UNKNOWN, Origin
from alembic_pgpatterns.schema.others import Sequence
from alembic_pgpatterns.schema.parts import Check, Column, ForeignKey, Index, Key

Item = TypeVar("Item", Index, Key, ForeignKey, Check)


def overlay(database: Schema, models: Schema) -> Schema:
    """The database's schema with the models' facts.

    Objects are matched by identifier as PostgreSQL stores it (63 bytes), keys and foreign keys by their columns, an
    index with another name by its keys. Added are: locations, ``ignored`` and ``info``, Python-side defaults, whether a
    TypeDecorator chose the type, MetaData, relationships and names that are too long. An object that belongs to a table
    but is in no model gets the table's location and ``ignored``. An object that belongs to no table ignores what all
    MetaData ignore.

    Args:
        database: from ``catalog.read``.
        models: from ``metadata.read``.
    """
    of_models = {_stored(table.name): table for table in models.tables}
    everywhere = Origin(ignored=_common(metadata.origin.ignored for metadata in models.metadatas))
    tables = tuple(
        replace(_table(table, of_models.get(table.name), everywhere), modelled=not of_models or table.name in of_models)
        for table in database.tables
    )
    columns = {(table.name, column.name): column.origin for table in tables for column in table.columns}
    return replace(
        database,
        tables=tables,
        views=tuple(replace(view, origin=_origin(of_models.get(view.name), everywhere)) for view in database.views),
        sequences=tuple(_sequence(sequence, columns, everywhere) for sequence in database.sequences),
        functions=tuple(replace(function, origin=everywhere) for function in database.functions),
        namespaces=tuple(replace(namespace, origin=everywhere) for namespace in database.namespaces),
        extensions=tuple(replace(extension, origin=everywhere) for extension in database.extensions),
        metadatas=models.metadatas,
        overlong=models.overlong,
        relationships=models.relationships,
    )


def _stored(name: Name) -> Name:
    return Name(truncate(name.schema), truncate(name.name))


def _common(ignored: Iterable[frozenset[str]]) -> frozenset[str]:
    sets = list(ignored)
    return frozenset.intersection(*sets) if sets else frozenset()


def _origin(model: Any, otherwise: Origin) -> Origin:
    return model.origin if model is not None and model.origin != NO_ORIGIN else otherwise


def _table(table: Table, model: Table | None, everywhere: Origin) -> Table:
    if model is None:
        return _without_model(table, everywhere)
    origin = _origin(model, everywhere)
    # Without info: the table's own info is not about each of its parts.
    inner = Origin(origin.location, origin.ignored)
    of_models = {truncate(column.name): column for column in model.columns}
    named = tuple(check for check in model.checks if check.name is not None)
    unnamed = tuple(check for check in model.checks if check.name is None)
    keys = {_columns(key): key for key in (*model.unique_constraints, *filter(None, [model.primary_key]))}
    return replace(
        table,
        origin=origin,
        columns=tuple(_column(column, of_models.get(column.name), inner) for column in table.columns),
        primary_key=_with(table.primary_key, keys, inner) if table.primary_key else None,
        unique_constraints=tuple(_with(key, keys, inner) for key in table.unique_constraints),
        foreign_keys=_matched(table.foreign_keys, inner, (_target, model.foreign_keys), (_columns, model.foreign_keys)),
        checks=_matched(table.checks, inner, (_check_name, named), (_check_columns, unnamed)),
        indexes=_matched(table.indexes, inner, (_index_name, model.indexes), (_index_keys, model.indexes)),
        exclusions=tuple(replace(exclusion, origin=inner) for exclusion in table.exclusions),
        policies=tuple(replace(policy, origin=inner) for policy in table.policies),
    )


def _without_model(table: Table, everywhere: Origin) -> Table:
    if everywhere == NO_ORIGIN:
        return table
    empty = Table(table.name, origin=everywhere)
    columns = tuple(replace(column, origin=everywhere) for column in table.columns)
    return replace(_table(table, empty, everywhere), columns=columns)


def _column(column: Column, model: Column | None, table: Origin) -> Column:
    if model is None:
        # A column that only the database has: nothing in Python fills it in.
        return replace(column, origin=table, python_default=None, python_onupdate=None)
    type_ = column.type
    if model.type.decorated:
        type_ = replace(type_, decorated=True, decorator=model.type.decorator, labels=model.type.labels)
    return replace(
        column,
        origin=_origin(model, table),
        python_default=model.python_default,
        python_onupdate=model.python_onupdate,
        type=type_,
        null_stated=model.null_stated,
        of_subclass=model.of_subclass,
        required_by_model=not model.nullable,
    )


def _with(key: Key, models: dict[Hashable, Key], table: Origin) -> Key:
    return replace(key, origin=_origin(models.get(_columns(key)), table))


def _matched(
    items: tuple[Item, ...], table: Origin, *identities: tuple[Callable[[Any], Hashable], tuple[Item, ...]]
) -> tuple[Item, ...]:
    """Each item with the origin of its model's item. The identities are tried in order until one finds an item."""
    # Reversed: of two with one identity the first counts, as in the source.
    indexed = [(by, {by(model): model for model in reversed(models)}) for by, models in identities]

    def origin(item: Item) -> Origin:
        candidates = (by_identity.get(by(item)) for by, by_identity in indexed)
        return _origin(next((model for model in candidates if model is not None), None), table)

    return tuple(replace(item, origin=origin(item)) for item in items)


def _columns(item: Key | ForeignKey) -> Hashable:
    return tuple(map(truncate, item.columns))


def _target(key: ForeignKey) -> Hashable:
    return _columns(key), _stored(key.referred_table), tuple(map(truncate, key.referred_columns))


def _check_name(check: Check) -> Hashable:
    return truncate(check.name or "")


def _check_columns(check: Check) -> Hashable:
    return frozenset(check.columns) if check.columns is not UNKNOWN else None


def _index_name(index: Index) -> Hashable:
    return truncate(index.name.name)


def _index_keys(index: Index) -> Hashable:
    """The keys. With an expression among them only the name counts, since the readers write expressions differently."""
    if None in index.columns:
        return index.identifier
    return tuple(truncate(column) for column in index.columns if column is not None), index.unique, index.method


def _sequence(sequence: Sequence, columns: dict[tuple[Name, str], Origin], everywhere: Origin) -> Sequence:
    owner = sequence.owned_by
    return replace(sequence, origin=columns.get(owner, everywhere) if owner else everywhere)
