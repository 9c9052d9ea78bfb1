"""DataType from pg_type: domains and arrays resolved to their element type, type modifiers decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.schema.catalog.queries import relations as sql
from alembic_pgpatterns.schema.catalog.session import Session
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.types import DataType, TypeKind

_KINDS: dict[str, TypeKind] = {
    "b": "base",
    "e": "enum",
    "c": "composite",
    "r": "range",
    "m": "multirange",
    "p": "pseudo",
}
_HEADER = 4
"""VARHDRSZ, which is part of the modifiers of varchar, bpchar and numeric."""
_NO_PRECISION = 0xFFFF
"""For interval: the fields are restricted, the precision is not (utils/timestamp.h)."""


@dataclass(frozen=True, slots=True)
class PgType:
    """A row of pg_type."""

    name: Name
    kind: str
    category: str
    element: int
    base: int
    modifier: int
    not_null: bool
    checked: bool
    labels: tuple[str, ...]

    @property
    def is_array(self) -> bool:
        """Whether it is a true array, and not only subscriptable like ``point``."""
        return self.category == "A" and self.element != 0


class Types:
    """The types of all columns; one DataType for each (type, modifier, collation)."""

    def __init__(self, session: Session) -> None:
        self.by_oid = {row[0]: _pg_type(row) for row in session.rows(sql.TYPES)}
        self.spellings = {(oid, modifier): text for oid, modifier, text in session.rows(sql.TYPE_SPELLINGS)}
        self.collations = {oid: Name(schema, name) for oid, schema, name in session.rows(sql.COLLATIONS)}
        self._made: dict[tuple[int, int, int], DataType] = {}

    def data_type(self, oid: int, modifier: int, collation: int = 0) -> DataType:
        """The DataType of pg_attribute's atttypid, atttypmod and attcollation."""
        key = (oid, modifier, collation)
        if key not in self._made:
            self._made[key] = self._make(oid, modifier, collation)
        return self._made[key]

    def base_of(self, oid: int) -> int:
        """The type under a domain, for which PostgreSQL chooses the operator class."""
        while self.by_oid[oid].kind == "d":
            oid = self.by_oid[oid].base
        return oid

    def _make(self, oid: int, modifier: int, collation: int) -> DataType:
        display = self.spellings.get((oid, modifier), "")
        domains: list[PgType] = []
        array = not_null = False
        while (pg_type := self.by_oid[oid]).kind == "d" or pg_type.is_array:
            if pg_type.kind == "d":
                domains.append(pg_type)
                # A domain that is the element of an array does not make the column NOT NULL.
                not_null |= pg_type.not_null and not array
                # A column of a domain has no modifier of its own; the domain has it.
                modifier = pg_type.modifier if modifier == -1 else modifier
                oid = pg_type.base
            else:
                array = True
                oid = pg_type.element
        return DataType(
            name=pg_type.name.name,
            schema=pg_type.name.schema,
            kind=_KINDS.get(pg_type.kind, "unknown"),
            modifier=decode(pg_type.name, modifier),
            array=array,
            domains=tuple(domain.name for domain in domains),
            domain_not_null=not_null,
            domain_checked=any(domain.checked for domain in domains),
            labels=pg_type.labels,
            display=display,
            collation=self.collations.get(collation),
        )


def _pg_type(row: Any) -> PgType:
    _, schema, name, kind, category, element, base, modifier, not_null, checked, labels = row
    return PgType(Name(schema, name), kind, category, element, base, modifier, not_null, checked, tuple(labels or ()))


def decode(name: Name, modifier: int) -> tuple[int, ...]:
    """A type modifier as a person writes it: ``varchar(9)`` is (9,), ``numeric(8,2)`` is (8, 2), no modifier is ().

    The encodings are those of PostgreSQL's typmodout functions. Modifiers of other types are returned unchanged.
    """
    if modifier < 0:
        return ()
    if name.schema == "pg_catalog" and name.name in ("varchar", "bpchar"):
        return (modifier - _HEADER,)
    if name.schema == "pg_catalog" and name.name == "numeric":
        packed = modifier - _HEADER
        # The scale is signed since PostgreSQL 15, and has eleven bits.
        return (packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024)
    if name.schema == "pg_catalog" and name.name == "interval":
        # The upper half says which fields it has (INTERVAL_RANGE, utils/timestamp.h).
        precision = modifier & 0xFFFF
        return () if precision == _NO_PRECISION else (precision,)
    return (modifier,)
