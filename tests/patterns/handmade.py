"""Schemas written by hand, for tests of what a pattern decides: no server and no models are needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alembic_pgpatterns.evidence.model import Condition, Evidence, Place, QueryShape
from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.schema.model import Column, DataType, ForeignKey, Index, IndexKey, Key, Name, Schema, Table

ITEM, PARENT = Name("public", "item"), Name("public", "parent")


def column(
    name: str, type_: str | DataType = "int8", *, table: Name = ITEM, nullable: bool = True, **facts: Any
) -> Column:
    kind = type_ if isinstance(type_, DataType) else DataType(type_, display=type_)
    return Column(table, name, kind, nullable, **facts)


def index(name: str, *keys: str | IndexKey, **facts: Any) -> Index:
    parts = tuple(key if isinstance(key, IndexKey) else IndexKey(key, opclass_default=True) for key in keys)
    return Index(Name("public", name), ITEM, facts.pop("method", "btree"), parts, **facts)


def unique(name: str | None, *columns: str, **facts: Any) -> Key:
    return Key(ITEM, name, columns, False, **facts)


def foreign(*columns: str, to: Name = PARENT, referred: Iterable[str] = ("id",), **facts: Any) -> ForeignKey:
    return ForeignKey(facts.pop("table", ITEM), facts.pop("name", None), columns, to, tuple(referred), **facts)


def table(*parts: Column | Index | Key | ForeignKey, name: Name = ITEM, **facts: Any) -> Table:
    """A table of its parts. Its primary key is `id` unless another one is given."""

    def of(kind: type[Any]) -> tuple[Any, ...]:
        return tuple(part for part in parts if isinstance(part, kind))

    facts.setdefault("primary_key", Key(name, f"{name.name}_pkey", ("id",), True))
    return Table(
        name, columns=of(Column), indexes=of(Index), unique_constraints=of(Key), foreign_keys=of(ForeignKey), **facts
    )


def query(*conditions: Condition, **facts: Any) -> QueryShape:
    return QueryShape("item", conditions=conditions, places=(Place("app.py", 7),), **facts)


def found(
    name: str,
    *tables: Table,
    queries: Iterable[QueryShape] = (),
    inserted: Iterable[str] = (),
    assigned: Iterable[tuple[str, str]] = (),
    varying: Iterable[tuple[str, str]] = (),
    version: int | None = 18,
) -> list[Finding]:
    """The findings of a pattern, in its order."""
    places = dict.fromkeys(inserted, Place("app.py", 1))
    evidence = Evidence("source", tuple(queries), places, frozenset(assigned), varying=frozenset(varying))
    pattern: Any = registry()[name](target_version=version)
    return list(pattern.detect(Schema("database", tables, server_version=18, evidence=evidence)))
