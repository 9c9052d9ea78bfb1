"""What a database holds, by pg_catalog alone; imports nothing, so that any interpreter can compare two states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SYSTEM = "('pg_catalog', 'information_schema')"
_OWN = f"""c.relnamespace::regnamespace::text NOT IN {_SYSTEM}
    AND c.relnamespace::regnamespace::text NOT LIKE 'pg_t%' AND c.relname <> 'alembic_version'"""
_TABLES = {
    "columns": f"""
        SELECT c.oid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attgenerated, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind IN ('r', 'p') AND {_OWN}""",
    "constraints": f"""
        SELECT k.conrelid::regclass::text, k.conname, k.contype::text, pg_get_constraintdef(k.oid), k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE {_OWN}""",
    "indexes": f"""
        SELECT pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {_OWN}""",
    "types": """
        SELECT t.oid::regtype::text, array_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.oid""",
}
_MORE = {
    "relations": f"""
        SELECT c.oid::regclass::text, c.relkind::text, c.relpersistence::text, c.reloptions::text,
               obj_description(c.oid, 'pg_class'), pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid)
        FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {_OWN}""",
    "sequences": f"""
        SELECT c.oid::regclass::text, s.seqtypid::regtype::text, s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
               s.seqcache, s.seqcycle
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE {_OWN}""",
    "domains": f"""
        SELECT t.oid::regtype::text, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
               (SELECT array_agg(k.conname || ' ' || pg_get_constraintdef(k.oid) ORDER BY 1)
                FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')
        FROM pg_type t WHERE t.typtype = 'd' AND t.typnamespace::regnamespace::text NOT IN {_SYSTEM}""",
    "comments": """
        SELECT pg_describe_object(classoid, objoid, objsubid), description FROM pg_description
        WHERE objoid >= 16384 AND classoid <> 'pg_extension'::regclass""",
    "triggers": f"""
        SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND {_OWN}""",
    "schemas": "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
    "extensions": "SELECT extname FROM pg_extension",
    "inherits": "SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits",
}


def tables(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Tables, their columns, constraints and indexes, and enums; positions of columns left out."""
    return _rows(connection, _TABLES)


def everything(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
    """What `tables` has, and everything else that autogenerate may create."""
    return _rows(connection, {**_TABLES, **_MORE})


def _rows(connection: Any, queries: Mapping[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(connection.execute(query).fetchall(), key=repr) for name, query in queries.items()}


def differences(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]]) -> list[str]:
    """What stands in one snapshot and not in the other."""
    result = []
    for name, rows in one.items():
        result += [f"{name} + {row}" for row in rows if row not in other[name]]
        result += [f"{name} - {row}" for row in other[name] if row not in rows]
    return result
