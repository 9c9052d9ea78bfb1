"""DataType from SQLAlchemy's types, as the PostgreSQL dialect would create them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import Dialect

from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.schema.parsed import SqlParser, TypeText
from alembic_pgpatterns.schema.types import DataType, TypeKind

NO_TYPE = DataType(name="", schema="", kind="unknown")

DEFAULT_COLLATION = Name("pg_catalog", "default")
_COLLATABLE = frozenset({"text", "varchar", "bpchar", "citext"})

_RANGES = ("int4", "int8", "num", "ts", "tstz", "date")
_BASE = """
    bit bool bpchar box bytea char cid cidr circle date float4 float8 inet int2 int4 int8 interval json
    jsonb jsonpath line lseg macaddr macaddr8 money name numeric oid path pg_lsn point polygon regclass
    regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole
    regtype text tid time timestamp timestamptz timetz tsquery tsvector txid_snapshot uuid varbit
    varchar xid xid8 xml
"""
_BUILTIN: dict[str, TypeKind] = {
    **dict.fromkeys(_BASE.split(), "base"),
    **{f"{name}range": "range" for name in _RANGES},
    **{f"{name}multirange": "multirange" for name in _RANGES},
}

_OF_EXTENSIONS = frozenset(
    {"citext", "geography", "geometry", "halfvec", "hstore", "ltree", "raster", "sparsevec", "vector"}
)
"""Base types of citext, hstore, ltree, pgvector and PostGIS. They are assumed to be in the default schema."""

_SPELLINGS = {
    "bool": "boolean",
    "bpchar": "character",
    "char": '"char"',
    "float4": "real",
    "float8": "double precision",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "varbit": "bit varying",
    "varchar": "character varying",
}
_ZONES = {
    "time": "without time zone",
    "timestamp": "without time zone",
    "timetz": "with time zone",
    "timestamptz": "with time zone",
}


# SQLAlchemy 1.4 has no type for domains.
_DOMAIN: Any = getattr(postgresql, "DOMAIN", ())
_AUTO_STRING = ("sqlmodel.sql.sqltypes", "AutoString")


class ModelTypes:
    """Turns SQLAlchemy types into DataTypes.

    Args:
        dialect: PostgreSQL's, as create_all would use it.
        default_schema: of types without a schema that are not PostgreSQL's own.
    """

    def __init__(self, dialect: Dialect, default_schema: str, parser: SqlParser) -> None:
        self._dialect = dialect
        self._sql = parser
        self._default_schema = default_schema

    def data_type(self, type_: sa.TypeEngine[Any]) -> DataType:
        """The type of a column with it; kind "unknown" if it cannot be compiled or named."""
        try:
            return self._data_type(type_)
        except Exception:
            # get_col_spec, load_dialect_impl and @compiles are the application's code, and may need a connection.
            return NO_TYPE

    def _data_type(self, type_: sa.TypeEngine[Any]) -> DataType:
        # Not dialect_impl(): that is about values, and does not distinguish Text from String.
        sql_type = _variant(type_, self._dialect.name)
        if isinstance(sql_type, sa.TypeDecorator):
            impl = self.data_type(sql_type.type_engine(self._dialect))
            name = f"{type(sql_type).__module__}.{type(sql_type).__qualname__}"
            return replace(impl, decorated=True, decorator=name) if _chooses_values(sql_type) else impl
        if isinstance(sql_type, sa.ARRAY):
            return self._array(sql_type)
        if isinstance(sql_type, _DOMAIN):
            return self._domain(sql_type)
        if isinstance(sql_type, sa.Enum) and sql_type.native_enum:
            return self._enum(sql_type)
        text = self._compiled(sql_type)
        if isinstance(sql_type, sa.Enum):
            return replace(self._from_text(text), decorated=True, labels=tuple(map(str, sql_type.enums)))
        return self._from_text(text)

    def _compiled(self, type_: sa.TypeEngine[Any]) -> str:
        """The type's SQL. In SQLAlchemy 1.4 the compiler has another name."""
        dialect: Any = self._dialect
        compiler = getattr(dialect, "type_compiler_instance", None) or dialect.type_compiler
        return str(compiler.process(type_))

    def _array(self, sql_type: sa.ARRAY[Any]) -> DataType:
        element = self.data_type(sql_type.item_type)
        return replace(element, array=True, domain_not_null=False, display=f"{element.display}[]")

    def _domain(self, sql_type: Any) -> DataType:
        base = self.data_type(sql_type.data_type)
        name = Name(str(sql_type.schema or self._default_schema), str(sql_type.name))
        return replace(
            base,
            domains=(name, *base.domains),
            domain_not_null=base.domain_not_null or bool(sql_type.not_null),
            domain_checked=base.domain_checked or sql_type.check is not None,
            display=str(name),
            collation=Name("pg_catalog", str(sql_type.collation)) if sql_type.collation else base.collation,
        )

    def _enum(self, sql_type: sa.Enum) -> DataType:
        text = self._sql.parse_type(self._compiled(sql_type))
        if text is None:
            return NO_TYPE
        name = self._name(text.names)
        return DataType(name.name, name.schema, "enum", labels=tuple(map(str, sql_type.enums)), display=str(name))

    def _from_text(self, text: str) -> DataType:
        parsed = self._sql.parse_type(text)
        if parsed is None:
            return NO_TYPE
        name = self._name(parsed.names)
        modifier = _modifier(name, parsed.modifiers)
        return DataType(
            name=name.name,
            schema=name.schema,
            kind=_kind(name),
            modifier=modifier,
            array=parsed.array,
            display=_display(name, modifier, text) + ("[]" if parsed.array else ""),
            collation=_collation(name, parsed),
        )

    def _name(self, names: tuple[str, ...]) -> Name:
        if len(names) > 1:
            return Name(names[-2], names[-1])
        return Name("pg_catalog" if names[0] in _BUILTIN else self._default_schema, names[0])


def _variant(type_: Any, dialect: str) -> Any:
    """The ``with_variant()`` type for one dialect; in SQLAlchemy 1.4 ``with_variant`` makes a type of its own."""
    mapping = getattr(type_, "_variant_mapping", None)
    if mapping is None:
        return type_.mapping.get(dialect, type_.impl) if type(type_).__name__ == "Variant" else type_
    return mapping.get(dialect, type_)


def _chooses_values(sql_type: sa.TypeDecorator[Any]) -> bool:
    """True, but not for SQLModel's AutoString (every ``str`` field): it is a String, with a length only on MySQL."""
    return not any((base.__module__, base.__name__) == _AUTO_STRING for base in type(sql_type).__mro__)


def _kind(name: Name) -> TypeKind:
    if name.schema == "pg_catalog":
        return _BUILTIN.get(name.name, "unknown")
    return "base" if name.name in _OF_EXTENSIONS else "unknown"


def _modifier(name: Name, modifiers: tuple[int, ...]) -> tuple[int, ...]:
    if name.schema == "pg_catalog" and name.name == "numeric" and len(modifiers) == 1:
        return (modifiers[0], 0)
    if name.schema == "pg_catalog" and name.name == "interval":
        # The first is a mask of fields.
        return modifiers[1:]
    return modifiers


def _collation(name: Name, parsed: TypeText) -> Name | None:
    if parsed.collation:
        *schema, collation = parsed.collation
        return Name(schema[0] if schema else "pg_catalog", collation)
    if name == Name("pg_catalog", "name"):
        return Name("pg_catalog", "C")
    return DEFAULT_COLLATION if name.name in _COLLATABLE else None


def _display(name: Name, modifier: tuple[int, ...], text: str) -> str:
    """The type in format_type()'s form."""
    suffix = f"({','.join(map(str, modifier))})" if modifier else ""
    if name.schema != "pg_catalog":
        return f"{name}{suffix}"
    if name.name == "interval":
        return text.lower().replace(" (", "(")
    if name.name in _ZONES:
        return f"{name.name.removesuffix('tz')}{suffix} {_ZONES[name.name]}"
    if name.name == "bpchar" and not modifier:
        return "bpchar"
    return _SPELLINGS.get(name.name, quote(name.name)) + suffix
