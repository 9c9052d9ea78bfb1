"""PostgreSQL's own operator classes (docs, "Operator Classes and Operator Families"), for models without a database.

Copied from pg_opclass and pg_amop of PostgreSQL 18; those of extensions are not known here. ``*`` marks a class that is
not its type's default. ``/family`` is left out if the family has the class's name.
"""

from __future__ import annotations

from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.types import DataType

_CLASSES = {
    "btree": """
        anyarray:array_ops bit:bit_ops bool:bool_ops bpchar:bpchar_ops bpchar*:bpchar_pattern_ops bytea:bytea_ops
        char:char_ops inet*:cidr_ops/network_ops date:date_ops/datetime_ops anyenum:enum_ops float4:float4_ops/float_ops
        float8:float8_ops/float_ops inet:inet_ops/network_ops int2:int2_ops/integer_ops int4:int4_ops/integer_ops
        int8:int8_ops/integer_ops interval:interval_ops jsonb:jsonb_ops macaddr8:macaddr8_ops macaddr:macaddr_ops
        money:money_ops anymultirange:multirange_ops name:name_ops/text_ops numeric:numeric_ops oid:oid_ops
        pg_lsn:pg_lsn_ops anyrange:range_ops text:text_ops text*:text_pattern_ops time:time_ops
        timestamp:timestamp_ops/datetime_ops timestamptz:timestamptz_ops/datetime_ops timetz:timetz_ops
        tsquery:tsquery_ops tsvector:tsvector_ops uuid:uuid_ops varbit:varbit_ops text*:varchar_ops/text_ops
        text*:varchar_pattern_ops/text_pattern_ops xid8:xid8_ops
    """,
    "hash": """
        anyarray:array_ops bool:bool_ops bpchar:bpchar_ops bpchar*:bpchar_pattern_ops bytea:bytea_ops char:char_ops
        inet*:cidr_ops/network_ops date:date_ops anyenum:enum_ops float4:float4_ops/float_ops
        float8:float8_ops/float_ops inet:inet_ops/network_ops int2:int2_ops/integer_ops int4:int4_ops/integer_ops
        int8:int8_ops/integer_ops interval:interval_ops jsonb:jsonb_ops macaddr8:macaddr8_ops macaddr:macaddr_ops
        anymultirange:multirange_ops name:name_ops/text_ops numeric:numeric_ops oid:oid_ops pg_lsn:pg_lsn_ops
        anyrange:range_ops text:text_ops text*:text_pattern_ops time:time_ops timestamp:timestamp_ops
        timestamptz:timestamptz_ops timetz:timetz_ops uuid:uuid_ops text*:varchar_ops/text_ops
        text*:varchar_pattern_ops/text_pattern_ops xid8:xid8_ops xid:xid_ops
    """,
    "gin": "anyarray:array_ops jsonb:jsonb_ops jsonb*:jsonb_path_ops tsvector:tsvector_ops",
    "gist": """
        box:box_ops circle:circle_ops inet*:inet_ops/network_ops anymultirange:multirange_ops point:point_ops
        polygon:poly_ops anyrange:range_ops tsquery:tsquery_ops tsvector:tsvector_ops
    """,
    "spgist": """
        box:box_ops inet:inet_ops/network_ops point*:kd_point_ops polygon:poly_ops point:quad_point_ops
        anyrange:range_ops text:text_ops
    """,
    "brin": """
        bit:bit_minmax_ops box:box_inclusion_ops bpchar:bpchar_minmax_ops bytea:bytea_minmax_ops char:char_minmax_ops
        date:date_minmax_ops/datetime_minmax_ops date*:date_minmax_multi_ops/datetime_minmax_multi_ops
        float4:float4_minmax_ops/float_minmax_ops float8:float8_minmax_ops/float_minmax_ops
        inet:inet_inclusion_ops/network_inclusion_ops int2:int2_minmax_ops/integer_minmax_ops
        int4:int4_minmax_ops/integer_minmax_ops int8:int8_minmax_ops/integer_minmax_ops interval:interval_minmax_ops
        macaddr8:macaddr8_minmax_ops macaddr:macaddr_minmax_ops name:name_minmax_ops numeric:numeric_minmax_ops
        oid:oid_minmax_ops pg_lsn:pg_lsn_minmax_ops anyrange:range_inclusion_ops text:text_minmax_ops
        time:time_minmax_ops timestamp:timestamp_minmax_ops/datetime_minmax_ops
        timestamp*:timestamp_minmax_multi_ops/datetime_minmax_multi_ops
        timestamptz:timestamptz_minmax_ops/datetime_minmax_ops
        timestamptz*:timestamptz_minmax_multi_ops/datetime_minmax_multi_ops timetz:timetz_minmax_ops
        uuid:uuid_minmax_ops varbit:varbit_minmax_ops
    """,
}

_COERCED = {"varchar": "text", "cidr": "inet"}
"""Binary-coercible types, which use the other type's class."""

_HASH_ONLY = {"date": "date_ops", "timestamp": "timestamp_ops", "timestamptz": "timestamptz_ops"}
"""Types whose hash family has another name than the btree family."""

_PATTERNS = {"text": "text_pattern_ops", "bpchar": "bpchar_pattern_ops"}
"""Families that share the type's equality operator."""


def _table() -> tuple[dict[tuple[str, str], tuple[Name, Name]], dict[tuple[str, str], Name]]:
    defaults, families = {}, {}
    for method, listed in _CLASSES.items():
        for entry in listed.split():
            type_name, _, names = entry.partition(":")
            opclass, _, family = names.partition("/")
            class_and_family = _builtin(opclass), _builtin(family or opclass)
            families[method, opclass] = class_and_family[1]
            if not type_name.endswith("*"):
                defaults[method, type_name] = class_and_family
    return defaults, families


def _builtin(name: str) -> Name:
    return Name("pg_catalog", name)


_DEFAULTS, _FAMILIES = _table()


def default_class(method: str, type_: DataType) -> tuple[Name, Name] | None:
    """The (operator class, family) that CREATE INDEX uses for a type; None if it is not known here."""
    return _DEFAULTS.get((method, input_type(type_)))


def family_of(method: str, opclass: str) -> Name | None:
    """The family of one of PostgreSQL's own classes."""
    return _FAMILIES.get((method, opclass))


def input_type(type_: DataType) -> str:
    """The type that an operator class is declared for: polymorphic for arrays, enums and ranges; '' if not known."""
    if type_.array:
        return "anyarray"
    if type_.kind in ("enum", "range", "multirange"):
        return f"any{type_.kind}"
    if type_.kind != "base" or type_.schema != "pg_catalog":
        return ""
    return _COERCED.get(type_.name, type_.name)


def equality_families(type_: DataType, referred: DataType) -> frozenset[Name] | None:
    """Families that hold a foreign key's equality operator; None if they are not known here.

    PostgreSQL looks in the family of the referenced key's index for an operator on both types; if there is none, it
    casts the referencing column (ATAddForeignKeyConstraint).
    """
    local, other = default_class("btree", type_), default_class("btree", referred)
    if local is None or other is None:
        return None
    if input_type(type_) != input_type(referred) and local[1] == other[1]:
        return frozenset({other[1]})
    name = input_type(referred)
    more = [extra[name] for extra in (_HASH_ONLY, _PATTERNS) if name in extra]
    return frozenset({other[1], *map(_builtin, more)})
