"""Sequences and relationships from models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import replace
from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import MANYTOMANY, MANYTOONE, RelationshipProperty, registry

from alembic_pgpatterns.schema.metadata.columns import Context, is_serial, serial_type
from alembic_pgpatterns.schema.metadata.names import made_up_name
from alembic_pgpatterns.schema.metadata.origins import mappers_of
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import Origin
from alembic_pgpatterns.schema.others import Relationship, Sequence
from alembic_pgpatterns.schema.parts import Column as ModelColumn

_MAXIMA = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def read_sequences(
    context: Context,
    metadatas: Several[MetaData],
    tables: Mapping[Name, Table],
    columns: Mapping[Name, tuple[ModelColumn, ...]],
) -> tuple[Sequence, ...]:
    """Sequences of serial and identity columns, and sequences that are declared."""
    result = {sequence.name: sequence for table in tables.values() for sequence in _column_sequences(context, table)}
    for metadata in metadatas:
        for declared in getattr(metadata, "_sequences", {}).values():
            name = context.name(declared.schema, declared.name)
            type_name = context.types.data_type(declared.data_type).display if declared.data_type else "bigint"
            result.setdefault(name, _sequence(name, type_name, declared))
    uses: dict[Name, set[tuple[Name, str]]] = defaultdict(set)
    for table_name, listed in columns.items():
        for column in listed:
            if isinstance(column.sequence, Name):
                uses[column.sequence].add((table_name, column.name))
    return tuple(replace(result[name], used_by=frozenset(uses[name])) for name in sorted(result))


def _column_sequences(context: Context, table: Table) -> Iterator[Sequence]:
    owner = context.table_name(table)
    for column in table.columns:
        name = Name(owner.schema, made_up_name(owner.name, str(column.name), "seq"))
        if column.identity is not None:
            type_name = context.types.data_type(column.type).display
            yield _sequence(name, type_name, column.identity, column=(owner, str(column.name)), internal=True)
        elif is_serial(context.dialect, column):
            yield _sequence(name, serial_type(context, column).display, None, column=(owner, str(column.name)))


def _sequence(
    name: Name, type_name: str, options: Any, column: tuple[Name, str] | None = None, internal: bool = False
) -> Sequence:
    """The sequence; with PostgreSQL's defaults for options that are not given (docs, CREATE SEQUENCE)."""
    limit = _MAXIMA.get(type_name, _MAXIMA["bigint"])
    increment = getattr(options, "increment", None) or 1
    minimum = getattr(options, "minvalue", None)
    maximum = getattr(options, "maxvalue", None)
    minimum = minimum if minimum is not None else 1 if increment > 0 else -limit - 1
    maximum = maximum if maximum is not None else limit if increment > 0 else -1
    start = getattr(options, "start", None)
    return Sequence(
        name=name,
        type=type_name,
        start=start if start is not None else minimum if increment > 0 else maximum,
        minimum=minimum,
        maximum=maximum,
        increment=increment,
        cycle=bool(getattr(options, "cycle", None)),
        internal=internal,
        owned_by=column,
    )


def read_relationships(context: Context, registries: Several[registry]) -> tuple[Relationship, ...]:
    """Relationships along one foreign key, seen from either side. The child is the table that has the key."""
    result = []
    for mapper_registry in registries:
        # Relationships whose target is a text get it here.
        mapper_registry.configure()
        for mapper in mappers_of(mapper_registry):
            for property_ in mapper.relationships:
                if property_.parent is mapper and property_.direction is not MANYTOMANY:
                    result += _relationship(context, property_)
    return tuple(result)


_EAGER = frozenset({False, "immediate", "joined", "selectin", "subquery"})
"""What ``relationship(lazy=…)`` takes for loading children together with the parent."""


def _relationship(context: Context, property_: RelationshipProperty[Any]) -> list[Relationship]:
    pairs = property_.local_remote_pairs or []
    if property_.direction is MANYTOONE:
        pairs = [(remote, local) for local, remote in pairs]
    tables = {(parent.table, child.table) for parent, child in pairs}
    if len(tables) != 1:
        return []
    ((parent, child),) = tables
    if not isinstance(parent, Table) or not isinstance(child, Table):
        return []
    class_ = property_.parent.class_
    return [
        Relationship(
            model=class_.__name__,
            name=property_.key,
            parent=context.table_name(parent),
            child=context.table_name(child),
            columns=tuple(str(remote.name) for _, remote in pairs),
            cascade=frozenset(str(option) for option in property_.cascade),
            passive_deletes=property_.passive_deletes,
            many_to_one=property_.direction is MANYTOONE,
            view_only=property_.viewonly,
            eager=property_.lazy in _EAGER,
            origin=Origin(context.origins.class_location(class_, property_.key)),
        )
    ]
