"""PostgreSQL's data types as patterns see them: through domains and arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alembic_pgpatterns.schema.names import Name

TypeKind = Literal["base", "enum", "composite", "range", "multirange", "pseudo", "unknown"]


@dataclass(frozen=True, slots=True)
class DataType:
    """A type, with domains and arrays looked through.

    ``name`` is the innermost element's pg_type.typname ("int4", "varchar", "bpchar", "timestamptz"; enum and
    extension types by their own name), ``schema`` its schema. ``modifier`` holds the decoded typmod: the length of
    varchar(n) and char(n), the precision of timestamp(p), (precision, scale) of numeric. ``array``: an array of it,
    however many dimensions. ``domains``: the domains looked through, outermost first. ``labels``: of an enum, native
    or not. ``display`` is format_type()'s spelling of the declared type, for people and for SQL. Kind "unknown" and
    name "" where models use a type the reader cannot name.
    """

    name: str
    schema: str = "pg_catalog"
    kind: TypeKind = "base"
    modifier: tuple[int, ...] = ()
    array: bool = False
    domains: tuple[Name, ...] = ()
    domain_not_null: bool = False
    domain_checked: bool = False
    labels: tuple[str, ...] = ()
    display: str = ""
    collation: Name | None = None
    decorated: bool = False
    """Models only: the type is a TypeDecorator or Enum(native_enum=False), whose SQL type it chooses."""

    @property
    def length(self) -> int | None:
        """n of varchar(n), char(n)."""
        return self.modifier[0] if self.modifier and self.name in ("varchar", "bpchar") else None

    @property
    def precision(self) -> int | None:
        """p of timestamp(p), timestamptz(p), time(p), timetz(p)."""
        timed = ("timestamp", "timestamptz", "time", "timetz")
        return self.modifier[0] if self.modifier and self.name in timed else None

    @property
    def same_storage(self) -> tuple[str, str, tuple[int, ...], bool]:
        """What must be equal for two columns to be of one type, domains aside."""
        return (self.schema, self.name, self.modifier, self.array)
