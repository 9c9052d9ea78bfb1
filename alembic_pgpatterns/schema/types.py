"""PostgreSQL's data types as patterns see them: with domains and arrays resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alembic_pgpatterns.schema.names import Name

TypeKind = Literal["base", "enum", "composite", "range", "multirange", "pseudo", "unknown"]


@dataclass(frozen=True, slots=True)
class DataType:
    """A type, with domains and arrays resolved.

    ``name`` is the innermost element's pg_type.typname ("int4", "varchar", "bpchar", "timestamptz"; enum and
    extension types have their own names), ``schema`` its schema. ``modifier`` is the decoded typmod: the length of
    varchar(n) and char(n), the precision of timestamp(p), (precision, scale) of numeric. ``array``: it is an array,
    with any number of dimensions. ``domains``: the resolved domains, outermost first. ``labels``: of an enum, native
    or not. ``display`` is the declared type in format_type()'s form, for messages and SQL. Kind "unknown" and name ""
    mean that models use a type which the reader cannot name.
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
    """Models only: a TypeDecorator or Enum(native_enum=False) chose the SQL type."""
    decorator: str = ""
    """Models only: the dotted name of that TypeDecorator."""

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
        """The facts that are equal for two columns of the same type, apart from domains."""
        return (self.schema, self.name, self.modifier, self.array)
