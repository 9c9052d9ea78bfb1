"""What depends on a column: what another column in its place needs too, and what stands in the way of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class IndexOn:
    """An index that uses the column, or a key with its index."""

    name: str
    definition: str
    """What pg_get_indexdef() prints."""
    comment: str | None = None
    key: str = ""
    """``p`` PRIMARY KEY, ``u`` UNIQUE, or empty for an index that belongs to no constraint."""
    deferrable: bool = False
    initially_deferred: bool = False
    key_comment: str | None = None


@dataclass(frozen=True, slots=True)
class CheckOn:
    """A CHECK that uses the column."""

    name: str
    definition: str
    """What pg_get_constraintdef() prints."""
    valid: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKeyOn:
    """A foreign key that the column belongs to, on either side."""

    schema: str
    table: str
    """The table that has the foreign key."""
    name: str
    definition: str
    referencing: bool
    """The column is on the referencing side."""
    referenced: bool
    """The column is on the referenced side."""
    peers: tuple[tuple[str, str, str], ...]
    """Schema, table and name of the columns on the other side."""
    valid: bool = True
    comment: str | None = None
    partitioned: bool = False


@dataclass(frozen=True, slots=True)
class SequenceOf:
    """The sequence that a serial or identity column takes its values from."""

    schema: str
    name: str
    identity: str
    """``a`` always, ``d`` by default, or empty for a serial column."""
    default: str | None
    """The default of a serial column, as PostgreSQL prints it."""
    options: Mapping[str, Any]
    """The columns of pg_sequence."""
    rights: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Dependents:
    """All that depends on one column."""

    indexes: tuple[IndexOn, ...] = ()
    checks: tuple[CheckOn, ...] = ()
    foreign_keys: tuple[ForeignKeyOn, ...] = ()
    sequence: SequenceOf | None = None
    columns: frozenset[str] = frozenset()
    """All columns of the table."""
    obstacles: tuple[str, ...] = ()
    """Objects because of which no other column can take its place."""

    def without(self, table: tuple[str, str], names: frozenset[tuple[str, str, str]]) -> Dependents:
        """Return the dependents without some objects.

        Args:
            table: schema and name of the column's table.
            names: schema, table and name of indexes and constraints.
        """
        return replace(
            self,
            indexes=tuple(item for item in self.indexes if (*table, item.name) not in names),
            checks=tuple(item for item in self.checks if (*table, item.name) not in names),
            foreign_keys=tuple(key for key in self.foreign_keys if (key.schema, key.table, key.name) not in names),
        )

    def names(self, table: tuple[str, str]) -> frozenset[tuple[str, str, str]]:
        """Return schema, table and name of the indexes and constraints."""
        named: tuple[IndexOn | CheckOn, ...] = (*self.indexes, *self.checks)
        on_table = {(*table, item.name) for item in named}
        return frozenset(on_table | {(key.schema, key.table, key.name) for key in self.foreign_keys})


_COLUMN = """
    SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column AND NOT a.attisdropped
"""
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = :relation AND attnum > 0 AND NOT attisdropped"
_INDEXES = """
    SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition, obj_description(c.oid, 'pg_class') AS comment,
           coalesce(k.contype::text, '') AS key, coalesce(k.condeferrable, false) AS deferrable,
           coalesce(k.condeferred, false) AS initially_deferred, obj_description(k.oid, 'pg_constraint') AS key_comment
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = :relation AND (:number = ANY (i.indkey) OR EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = :number))
    ORDER BY c.relname
"""
_CHECKS = """
    SELECT conname AS name, pg_get_constraintdef(oid) AS definition, convalidated AS valid,
           obj_description(oid, 'pg_constraint') AS comment
    FROM pg_constraint WHERE contype = 'c' AND conrelid = :relation AND :number = ANY (conkey) ORDER BY conname
"""
_FOREIGN_KEYS = """
    SELECT n.nspname AS schema, c.relname AS "table", k.conname AS name, pg_get_constraintdef(k.oid) AS definition,
           k.conrelid = :relation AND :number = ANY (k.conkey) AS referencing,
           k.confrelid = :relation AND :number = ANY (k.confkey) AS referenced,
           k.convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
           c.relkind = 'p' OR t.relkind = 'p' AS partitioned,
           ARRAY(SELECT ARRAY[r.nspname, o.relname, a.attname] FROM unnest(k.conkey, k.confkey) AS u (here, there)
                 JOIN pg_attribute a ON (k.conrelid = :relation AND u.here = :number AND a.attrelid = k.confrelid
                                         AND a.attnum = u.there)
                                     OR (k.confrelid = :relation AND u.there = :number AND a.attrelid = k.conrelid
                                         AND a.attnum = u.here)
                 JOIN pg_class o ON o.oid = a.attrelid JOIN pg_namespace r ON r.oid = o.relnamespace)::text[] AS peers
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class t ON t.oid = k.confrelid
    WHERE k.contype = 'f' AND k.conparentid = 0
      AND (k.conrelid = :relation AND :number = ANY (k.conkey)
           OR k.confrelid = :relation AND :number = ANY (k.confkey))
    ORDER BY n.nspname, c.relname, k.conname
"""
_SEQUENCE = """
    SELECT n.nspname AS schema, c.relname AS name, a.attidentity::text AS identity, to_jsonb(s) AS options,
           CASE WHEN a.attidentity = '' THEN pg_get_expr(f.adbin, f.adrelid) END AS "default",
           c.relacl IS NOT NULL AS rights, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND d.refobjid = :relation AND d.refobjsubid = :number
"""
# What a new column or a new index would not have, and what PostgreSQL does not let another column take over.
_OBSTACLES = """
    WITH the AS (
        SELECT a.*, c.relispartition, c.relkind FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid WHERE a.attrelid = :relation AND a.attnum = :number)
    SELECT replace(pg_describe_object(d.classid, d.objid, d.objsubid), 'rule _RETURN on ', '') FROM the JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
    LEFT JOIN pg_class r ON d.classid = 'pg_class'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    WHERE d.classid <> 'pg_attrdef'::regclass AND coalesce(r.relkind NOT IN ('i', 'S'), true)
      AND coalesce(k.contype NOT IN ('n', 'c', 'f', 'u', 'p'), true)
    UNION
    SELECT 'a generated column' FROM the WHERE attgenerated <> ''
    UNION
    SELECT 'a generated column' FROM the JOIN pg_depend d
      ON d.refobjid = the.attrelid AND d.refobjsubid = the.attnum AND d.classid = 'pg_attrdef'::regclass
    JOIN pg_attrdef f ON f.oid = d.objid AND f.adnum <> the.attnum
    UNION
    SELECT 'a partition or a parent' FROM the
    WHERE relkind <> 'r' OR relispartition OR attinhcount > 0
       OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = the.attrelid)
    UNION
    SELECT 'rights on the column' FROM the WHERE attacl IS NOT NULL
    UNION
    SELECT 'options of the column (SET STATISTICS, SET (n_distinct))' FROM the
    WHERE attoptions IS NOT NULL OR attstattarget >= 0
    UNION
    SELECT 'trigger ' || t.tgname || ', which a backfill would fire for every row' FROM the
    JOIN pg_trigger t ON t.tgrelid = the.attrelid AND NOT t.tgisinternal
    UNION
    SELECT 'index ' || i.indexrelid::regclass || CASE
               WHEN NOT i.indisvalid THEN ', which is not valid'
               WHEN i.indisclustered THEN ', which CLUSTER uses'
               WHEN i.indisreplident THEN ', which is the replica identity'
               WHEN x.reltablespace <> 0 THEN ', which has a tablespace of its own'
               ELSE ', which is an exclusion constraint''s' END
    FROM the JOIN pg_index i ON i.indrelid = the.attrelid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE the.attnum = ANY (i.indkey)
      AND (NOT i.indisvalid OR i.indisclustered OR i.indisreplident OR x.reltablespace <> 0 OR i.indisexclusion)
    ORDER BY 1
"""


def read_dependents(connection: Connection, table: tuple[str, str], column: str) -> Dependents:
    """Read what depends on a column from the catalog. Takes no lock on tables.

    Args:
        connection: to the database.
        table: its schema and name.
        column: its name.
    """
    where = {"schema": table[0], "table": table[1], "column": column}
    place = connection.execute(text(_COLUMN), where).one_or_none()
    if place is None:
        return Dependents(obstacles=("its dependents, which could not be read",))

    def rows(query: str) -> list[dict[str, Any]]:
        values = {"relation": place.attrelid, "number": place.attnum}
        return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def first(query: str) -> list[str]:
        return [str(next(iter(row.values()))) for row in rows(query)]

    foreign_keys = tuple(
        ForeignKeyOn(**{**row, "peers": tuple(tuple(peer) for peer in row["peers"])}) for row in rows(_FOREIGN_KEYS)
    )
    sequences = [SequenceOf(**row) for row in rows(_SEQUENCE)]
    return Dependents(
        indexes=tuple(IndexOn(**row) for row in rows(_INDEXES)),
        checks=tuple(CheckOn(**row) for row in rows(_CHECKS)),
        foreign_keys=foreign_keys,
        sequence=sequences[0] if sequences else None,
        columns=frozenset(first(_COLUMNS)),
        obstacles=(
            *first(_OBSTACLES),
            *(_partitioned(key) for key in foreign_keys if key.partitioned),
            *_of_sequences(sequences),
        ),
    )


def _partitioned(key: ForeignKeyOn) -> str:
    return f"foreign key {key.name} of {key.table}, on a partitioned table"


def _of_sequences(sequences: list[SequenceOf]) -> tuple[str, ...]:
    """An identity's sequence goes with its column; a serial column may have its default changed by hand."""
    if len(sequences) > 1:
        return ("several sequences of the column",)
    return tuple(
        f"rights on sequence {item.name}, which belongs to the identity"
        for item in sequences
        if item.identity and item.rights
    )
