"""Indexes as values: when two are equal, and the statement that builds one again."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Final

from alembic_pgpatterns.patterns.indexes._coverage import DEFAULT_COLLATION, same_collation
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.remedies.naming import fit, index_name
from alembic_pgpatterns.schema.model import UNKNOWN, Index, IndexKey, Key, Name, Schema, Table

Shape = tuple[Hashable, ...]
PRIMARY_KEY: Final = "primary key"
"""The constraint that an index backs."""


def usable(index: Index) -> bool:
    """Whether queries can use it, and it is not being built."""
    return index.valid and index.ready and not index.building


def replaceable(index: Index) -> bool:
    """Whether it can be dropped alone: no constraint and no replica identity depends on it.

    An index attached to a partitioned one can only be dropped with it.
    """
    return (
        usable(index)
        and not index.unique
        and index.constraint is None
        and not index.replica_identity
        and not index.clustered
        and index.parent is None
    )


def rule_of(table: Table, index: Index) -> Key | None:
    """The unique constraint of the index; in models it may have no name."""
    return next((key for key in table.unique_constraints if key.index == index.name.name), None)


def index_of(table: Table, key: Key) -> Index | None:
    """The index of the unique constraint."""
    return next((index for index in table.indexes if index.name.name == key.index), None)


def indexed_tables(schema: Schema) -> Iterator[Table]:
    """Tables of every kind that have indexes of their own, partitions and materialised views among them."""
    return (table for table in schema.tables if table.kind != "foreign")


def base_shape(index: Index) -> Shape | None:
    """What must be equal before two indexes are compared key by key; None if it is not known."""
    return None if index.predicate is UNKNOWN else (index.method, index.predicate)


def key_shape(key: IndexKey) -> Shape | None:
    """What must be equal in two equal keys; None if it is not known."""
    if key.expression is UNKNOWN:
        return None
    return (key.column, key.expression, key.opclass, key.collation, key.descending, key.nulls_first)


def key_shapes(index: Index) -> tuple[Shape, ...] | None:
    """The shapes of all keys; None if one is not known."""
    shapes = [key_shape(key) for key in index.keys]
    return None if None in shapes else tuple(shape for shape in shapes if shape is not None)


def definition(index: Index, table: Table) -> CreateIndex | None:
    """The index as a statement; None if the models do not say everything about it."""
    if index.predicate is UNKNOWN or any(key.expression is UNKNOWN for key in index.keys):
        return None
    return CreateIndex(
        table=table.name,
        keys=tuple(indexed_key(key, table) for key in index.keys),
        name=index.name.name,
        method=index.method,
        unique=index.unique,
        include=index.include,
        where=index.predicate,
        nulls_not_distinct=index.nulls_not_distinct is True,
        options=_options(index),
    )


def indexed_key(key: IndexKey, table: Table) -> IndexedKey:
    """The key as it is written, without what PostgreSQL chooses by default."""
    return IndexedKey(
        column=key.column,
        expression=None if key.expression is UNKNOWN else key.expression,
        opclass=None if key.opclass_default is True or key.opclass is UNKNOWN else _spelled(key.opclass),
        collation=_spelled_collation(key, table),
        descending=key.descending,
        nulls_first=key.nulls_first,
    )


class IndexNames:
    """Names in use, for many new indexes together: tables a_b and a would both get an index ix_a_b_c."""

    def __init__(self, schema: Schema) -> None:
        self._taken = {index.name for table in schema.tables for index in table.indexes}
        self._new_names: dict[Name, CreateIndex] = {}

    def free(self, new: CreateIndex) -> CreateIndex:
        """The index with its usual name, or another one if that is taken. The same index gets the same name twice."""
        name, tried = index_name(new), new
        number = 1
        while not self._is_free(tried):
            number += 1
            tried = replace(new, name=fit(f"{name}_{number}"))
        self._new_names[Name(new.table.schema, index_name(tried))] = new
        return tried

    def _is_free(self, tried: CreateIndex) -> bool:
        name = Name(tried.table.schema, index_name(tried))
        other = self._new_names.get(name)
        same = other is not None and (other.table, other.keys) == (tried.table, tried.keys)
        return name not in self._taken and (other is None or same)


def named(new: CreateIndex, table: Table) -> CreateIndex:
    """A new index with its usual name, or a similar one if the table has an index of that name."""
    return _untaken(new, table)


def beside(new: CreateIndex, table: Table, old: str | None, suffix: str) -> CreateIndex:
    """The index that replaces ``old``: its name is the old one with a suffix, so it is unique too.

    If the models give the constraint no name, it gets the usual name.
    """
    return _untaken(replace(new, name=None if old is None else fit(f"{old}_{suffix}")), table)


def _untaken(new: CreateIndex, table: Table) -> CreateIndex:
    name = index_name(new)
    return replace(new, name=fit(f"{name}_2")) if any(index.name.name == name for index in table.indexes) else new


def _spelled_collation(key: IndexKey, table: Table) -> Name | None:
    if key.collation is UNKNOWN:
        return None
    column = None if key.column is None else table.column(key.column)
    as_usual = key.collation == DEFAULT_COLLATION if column is None else same_collation(key, column)
    return None if as_usual else key.collation


def _spelled(opclass: Name) -> str:
    return opclass.name if opclass.schema == "pg_catalog" else str(opclass)


def _options(index: Index) -> tuple[tuple[str, str], ...]:
    if index.options is UNKNOWN:
        return ()
    parts = (option.partition("=") for option in index.options)
    return tuple((name, value) for name, _, value in parts)
