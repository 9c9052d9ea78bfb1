"""The enum and domain types of a database, and what uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from alembic_pgpatterns.schema.names import quote

TypeKey = tuple[str, str]
"""Schema and name."""


@dataclass(frozen=True, slots=True)
class TypeUser:
    """A column of a table that has a type, or an array of it."""

    schema: str
    table: str
    column: str
    array: bool
    default: str | None
    lockable: bool = True
    """Whether LOCK TABLE takes the table: it refuses a foreign one."""
    forced_row_security: bool = False
    """Whether its policies apply to its owner too."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Schema, table and column."""
        return (self.schema, self.table, self.column)

    @property
    def qualified(self) -> str:
        """The table's quoted name."""
        return f"{quote(self.schema)}.{quote(self.table)}"


@dataclass(frozen=True, slots=True)
class NamedType:
    """An enum or a domain."""

    schema: str
    name: str
    kind: str
    """``e`` enum, ``d`` domain."""
    labels: tuple[str, ...]
    base: str | None
    nullable: bool
    default: str | None
    constraints: Mapping[str, str]
    """CHECKs of a domain: definition by name."""
    users: tuple[TypeUser, ...]
    fixed: tuple[str, ...] = ()
    """Why PostgreSQL cannot put another type in its place, in words; empty if it can."""
    under_views: bool = False
    """Whether views on its columns have to go before a new type takes its place."""

    @property
    def key(self) -> TypeKey:
        """Schema and name."""
        return (self.schema, self.name)


_TYPES = """
    SELECT n.nspname AS schema, t.typname AS name, t.typtype::text AS kind,
           ARRAY(SELECT enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY enumsortorder)::text[] AS labels,
           CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
               || CASE WHEN t.typcollation <> b.typcollation THEN ' COLLATE ' || t.typcollation::regcollation::text
                       ELSE '' END END AS base,
           NOT t.typnotnull AS nullable, t.typdefault AS "default",
           coalesce((SELECT jsonb_object_agg(conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
                     WHERE k.contypid = t.oid AND k.contype = 'c'), '{{}}') AS constraints,
           coalesce((SELECT jsonb_agg(jsonb_build_object('schema', cn.nspname, 'table', c.relname, 'column', a.attname,
                                'array', a.atttypid = t.typarray, 'default', pg_get_expr(d.adbin, d.adrelid),
                                'lockable', c.relkind <> 'f', 'forced_row_security',
                                c.relrowsecurity AND c.relforcerowsecurity)
                                ORDER BY cn.nspname, c.relname, a.attname)
                     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                     JOIN pg_namespace cn ON cn.oid = c.relnamespace
                     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                     WHERE a.atttypid IN (t.oid, t.typarray) AND a.attinhcount = 0 AND NOT a.attisdropped
                       AND c.relkind IN ('r', 'p', 'f')), '[]') AS users,
           ARRAY(SELECT format('%I.%I is part of a partition key', c.relname, a.attname)
                 FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (p.partattrs::int2[])
                 WHERE a.atttypid IN (t.oid, t.typarray)
                 UNION ALL SELECT format('the domain %I is over it', d.typname) FROM pg_type d
                 WHERE d.typtype = 'd' AND d.typbasetype IN (t.oid, t.typarray)
                 UNION ALL SELECT format('the composite type %I has it', c.relname)
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                 WHERE c.relkind = 'c' AND a.atttypid IN (t.oid, t.typarray)
                 ORDER BY 1)::text[] AS fixed
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type b ON b.oid = t.typbasetype
    WHERE t.typtype IN ('e', 'd') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid
                      AND e.deptype = 'e')
      AND {condition}
"""


def read_types(connection: Connection, condition: str = "true", **parameters: Any) -> dict[TypeKey, NamedType]:
    """Read the enums and domains that belong to no extension. Takes no lock.

    Args:
        connection: to the database.
        condition: SQL on ``t`` (pg_type) and ``n`` (pg_namespace).
        parameters: of the condition.
    """
    rows = connection.execute(text(_TYPES.format(condition=condition)), parameters).mappings()
    return {(row["schema"], row["name"]): _type(dict(row)) for row in rows}


def _type(row: Mapping[str, Any]) -> NamedType:
    users = tuple(TypeUser(**user) for user in row["users"])
    return NamedType(**{**row, "labels": tuple(row["labels"]), "users": users, "fixed": tuple(row["fixed"])})
