"""Queries of the catalog: what depends on a column."""

from __future__ import annotations

from alembic_pgpatterns.autogenerate.rewrite.view_sql import COPIED

COLUMN = """
    SELECT a.attrelid, a.attnum, c.relkind = 'p' AS partitioned
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column AND NOT a.attisdropped
"""
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = :relation AND attnum > 0 AND NOT attisdropped"
INDEXES = """
    SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition, obj_description(c.oid, 'pg_class') AS comment,
           coalesce(k.contype::text, '') AS key, coalesce(k.condeferrable, false) AS deferrable,
           coalesce(k.condeferred, false) AS initially_deferred, obj_description(k.oid, 'pg_constraint') AS key_comment,
           i.indisclustered AS clustered, i.indisreplident AS replica_identity, s.spcname AS tablespace
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
    LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = :relation AND (:number = ANY (i.indkey) OR EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = :number))
    ORDER BY c.relname
"""
CHECKS = """
    SELECT conname AS name, pg_get_constraintdef(oid) AS definition, convalidated AS valid,
           obj_description(oid, 'pg_constraint') AS comment
    FROM pg_constraint WHERE contype = 'c' AND conrelid = :relation AND :number = ANY (conkey) ORDER BY conname
"""
FOREIGN_KEYS = """
    SELECT n.nspname AS schema, c.relname AS "table", k.conname AS name, pg_get_constraintdef(k.oid) AS definition,
           k.conrelid = :relation AND :number = ANY (k.conkey) AS referencing,
           k.confrelid = :relation AND :number = ANY (k.confkey) AS referenced,
           k.convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
           c.relkind = 'p' AS on_partitioned, t.relkind = 'p' AS to_partitioned,
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
SEQUENCE = """
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
TRIGGERS = """
    SELECT t.tgname AS name, t.tgenabled::text AS enabled, obj_description(t.oid, 'pg_trigger') AS comment,
           t.tgtype & 16 <> 0 AND t.tgattr::text = '' AND t.tgenabled IN ('O', 'A') AS fires,
           t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0 AS before_row
    FROM pg_trigger t WHERE t.tgrelid = :relation AND NOT t.tgisinternal ORDER BY t.tgname
"""
STATISTICS = """
    SELECT n.nspname AS schema, s.stxname AS name, pg_get_statisticsobjdef(s.oid) AS definition,
           obj_description(s.oid, 'pg_statistic_ext') AS comment, s.stxstattarget AS target,
           CASE WHEN pg_get_userbyid(s.stxowner) <> current_user THEN pg_get_userbyid(s.stxowner) END AS owner
    FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
    WHERE s.stxrelid = :relation AND EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_statistic_ext'::regclass AND d.objid = s.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = :relation AND d.refobjsubid = :number)
    ORDER BY 1, 2
"""
_CLOSURE = """
    WITH RECURSIVE dependent (oid) AS (
        SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.rulename = '_RETURN'
          AND d.refobjid = :relation AND d.refobjsubid = :number
        UNION
        SELECT r.ev_class FROM dependent v JOIN pg_depend d ON d.refobjid = v.oid
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> v.oid AND r.rulename = '_RETURN'
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    )"""
# The views on the column and the views on these. A view is copied if it is a materialised one, or if one reads it.
VIEWS = f"""{_CLOSURE}{COPIED}
    SELECT n.nspname AS schema, c.relname AS name, pg_describe_object('pg_class'::regclass, c.oid, 0) AS description,
           c.oid IN (SELECT oid FROM copied) AS copied,
           ARRAY(SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 WHERE i.indrelid = c.oid)::text[] AS indexes
    FROM dependent JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 3
"""  # noqa: S608
# What else uses these views, so that they cannot be created again. The copy of a view that groups by a primary key,
# and so depends on the key, could only be made when the new column has the key.
VIEWS_HELD = f"""{_CLOSURE}{COPIED}
    SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) || ', which uses '
                    || pg_describe_object('pg_class'::regclass, v.oid, 0)
    FROM dependent v JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid AND d.deptype = 'n'
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE coalesce(r.ev_class NOT IN (SELECT oid FROM dependent), true)
    UNION
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) || ', which uses the row type of '
           || pg_describe_object('pg_class'::regclass, v.oid, 0)
    FROM dependent v JOIN pg_type t ON t.typrelid = v.oid
    JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n'
    UNION
    SELECT pg_describe_object('pg_class'::regclass, v.oid, 0) || ', which belongs to an extension'
    FROM dependent v JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = v.oid AND d.deptype = 'e'
    UNION
    SELECT pg_describe_object('pg_class'::regclass, v.oid, 0) || ', which depends on '
           || pg_describe_object(d.refclassid, d.refobjid, 0) || ' and is materialised or read by one that is'
    FROM copied v JOIN pg_rewrite r ON r.ev_class = v.oid JOIN pg_depend d ON d.objid = r.oid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_constraint'::regclass
    ORDER BY 1
"""  # noqa: S608
# Virtual columns that use the column and that nothing uses (PostgreSQL 18): they store nothing.
_VIRTUAL = """virtual (oid) AS (
        SELECT f.oid FROM pg_depend d JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
        JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = :relation AND d.refobjsubid = :number
          AND f.adnum <> :number AND g.attgenerated = 'v' AND g.attacl IS NULL AND NOT EXISTS (
            SELECT FROM pg_depend u LEFT JOIN pg_constraint n ON u.classid = 'pg_constraint'::regclass
                AND n.oid = u.objid AND n.contype = 'n'
            WHERE u.refclassid = 'pg_class'::regclass AND u.refobjid = g.attrelid AND u.refobjsubid = g.attnum
              AND n.oid IS NULL AND NOT (u.classid = 'pg_attrdef'::regclass AND u.objid = f.oid)))"""


def computed_again(column: str, expression: str) -> str:
    """Return the condition that `kept_objects` can give back all of a stored generated column.

    Args:
        column: alias of its pg_attribute.
        expression: alias of its pg_attrdef.
    """
    return f"""({column}.attgenerated = 's' AND {column}.attinhcount = 0
        AND EXISTS (SELECT FROM pg_class c WHERE c.oid = {column}.attrelid AND c.relkind = 'r' AND NOT c.relispartition)
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = {column}.attrelid)
        AND {column}.attacl IS NULL AND {column}.attoptions IS NULL AND coalesce({column}.attstattarget, -1) < 0
        AND {column}.attstorage = (SELECT y.typstorage FROM pg_type y WHERE y.oid = {column}.atttypid)
        AND coalesce(to_jsonb({column}) ->> 'attcompression', '') = ''
        AND NOT EXISTS (
            SELECT FROM pg_depend u LEFT JOIN pg_index x ON u.classid = 'pg_class'::regclass AND x.indexrelid = u.objid
            LEFT JOIN pg_class i ON i.oid = x.indexrelid
            LEFT JOIN pg_constraint n ON u.classid = 'pg_constraint'::regclass AND n.oid = u.objid AND n.contype = 'n'
            WHERE u.refclassid = 'pg_class'::regclass AND u.refobjid = {column}.attrelid
              AND u.refobjsubid = {column}.attnum AND n.oid IS NULL AND u.classid <> 'pg_statistic_ext'::regclass
              AND NOT (u.classid = 'pg_attrdef'::regclass AND u.objid = {expression}.oid)
              AND NOT coalesce(x.indisvalid AND NOT x.indisclustered AND NOT x.indisreplident AND i.reltablespace = 0
                  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid), false)))"""  # noqa: S608


# Stored generated columns that use the column: they can be dropped and computed again, for all rows at once.
REBUILT = f"""
    SELECT pg_describe_object('pg_attrdef'::regclass, f.oid, 0) FROM pg_depend d
    JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid AND f.adnum <> :number
    JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = :relation AND d.refobjsubid = :number
      AND {computed_again("g", "f")}
    ORDER BY 1
"""  # noqa: S608
# What is dropped before the swap and created again after it (`kept_objects`), and what the column has itself.
OBJECTS = f"""
    WITH {_VIRTUAL}
    SELECT pg_describe_object('pg_attrdef'::regclass, oid, 0) FROM virtual
    UNION
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = :relation AND d.refobjsubid = :number
      AND (d.classid IN ('pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_publication_rel'::regclass)
           OR r.rulename <> '_RETURN')
    UNION
    SELECT 'rights on the column' FROM pg_attribute
    WHERE attrelid = :relation AND attnum = :number AND attacl IS NOT NULL
    UNION
    SELECT 'options of the column' FROM pg_attribute
    WHERE attrelid = :relation AND attnum = :number AND (attoptions IS NOT NULL OR attstattarget >= 0)
    ORDER BY 1
"""  # noqa: S608
# What a new column or a new index would not have, and what PostgreSQL does not let another column take over.
OBSTACLES = f"""
    WITH {_VIRTUAL}, the AS (
        SELECT a.*, c.relispartition, c.relkind, t.typstorage FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_class c ON c.oid = a.attrelid WHERE a.attrelid = :relation AND a.attnum = :number)
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM the JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
    LEFT JOIN pg_class r ON d.classid = 'pg_class'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    WHERE d.classid NOT IN ('pg_attrdef'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass,
                            'pg_trigger'::regclass, 'pg_publication_rel'::regclass, 'pg_statistic_ext'::regclass)
      AND coalesce(r.relkind NOT IN ('i', 'I', 'S'), true)
      AND coalesce(k.contype NOT IN ('n', 'c', 'f', 'u', 'p'), true)
    UNION
    SELECT 'generated column ' || quote_ident(attname) FROM the WHERE attgenerated <> ''
    UNION
    SELECT 'generated column ' || quote_ident(g.attname) || ', which PostgreSQL can only compute for all rows at once'
    FROM the JOIN pg_depend d
      ON d.refobjid = the.attrelid AND d.refobjsubid = the.attnum AND d.classid = 'pg_attrdef'::regclass
    JOIN pg_attrdef f ON f.oid = d.objid AND f.adnum <> the.attnum
    JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum
    WHERE f.oid NOT IN (SELECT oid FROM virtual)
    UNION
    SELECT 'a partition or a parent' FROM the
    WHERE relkind NOT IN ('r', 'p') OR relispartition OR attinhcount > 0
       OR relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = the.attrelid)
    UNION
    SELECT 'the partition key' FROM the JOIN pg_partitioned_table p ON p.partrelid = the.attrelid
    WHERE the.attnum = ANY (p.partattrs::int2[])
    UNION
    SELECT 'storage of the column (SET STORAGE, SET COMPRESSION)' FROM the
    WHERE attstorage <> typstorage OR to_jsonb(the) ->> 'attcompression' <> ''
    UNION
    SELECT 'index ' || i.indexrelid::regclass || CASE
               WHEN NOT i.indisvalid THEN ', which is not valid'
               ELSE ', which is an exclusion constraint''s' END
    FROM the JOIN pg_index i ON i.indrelid = the.attrelid
    WHERE the.attnum = ANY (i.indkey) AND (NOT i.indisvalid OR i.indisexclusion)
    ORDER BY 1
"""  # noqa: S608
# What only a partition has on its column: it would go with the old column, and the new one would not have it.
PARTITION_OBSTACLES = """
    WITH the AS (SELECT * FROM pg_attribute WHERE attrelid = :relation AND attnum = :number),
    part AS (
        SELECT a.*, c.relkind, c.relnamespace, the.attnotnull AS required, pg_get_expr(f.adbin, f.adrelid) AS filled
        FROM the CROSS JOIN pg_partition_tree(the.attrelid::regclass) t JOIN pg_class c ON c.oid = t.relid
        JOIN pg_attribute a ON a.attrelid = t.relid AND a.attname = the.attname
        LEFT JOIN pg_attrdef f ON f.adrelid = the.attrelid AND f.adnum = the.attnum
        WHERE t.relid <> the.attrelid)
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) || ', of a partition' FROM part JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = part.attrelid AND d.refobjsubid = part.attnum
    LEFT JOIN pg_class r ON d.classid = 'pg_class'::regclass AND r.oid = d.objid
    LEFT JOIN pg_index i ON i.indexrelid = r.oid
    LEFT JOIN pg_class o ON o.oid = (SELECT inhparent FROM pg_inherits WHERE inhrelid = r.oid)
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE CASE
        WHEN r.relkind IN ('i', 'I') THEN o.oid IS NULL OR NOT i.indisvalid OR i.indisclustered OR i.indisreplident
            OR o.reltablespace <> r.reltablespace OR o.reloptions IS DISTINCT FROM r.reloptions
            OR obj_description(r.oid, 'pg_class') IS NOT NULL
        WHEN k.contype IN ('f', 'u', 'p') THEN k.conparentid = 0
        WHEN k.oid IS NOT NULL THEN k.coninhcount = 0 AND k.contype <> 'n'
        WHEN f.oid IS NOT NULL THEN f.adnum <> part.attnum OR pg_get_expr(f.adbin, f.adrelid) IS DISTINCT FROM filled
        WHEN d.classid = 'pg_trigger'::regclass
            THEN EXISTS (SELECT FROM pg_trigger t WHERE t.oid = d.objid AND t.tgparentid = 0)
        ELSE true END
    UNION
    SELECT 'trigger ' || t.tgname || ', of partition ' || t.tgrelid::regclass FROM part JOIN pg_trigger t
      ON t.tgrelid = part.attrelid WHERE t.tgparentid = 0 AND NOT t.tgisinternal
    UNION
    SELECT 'column ' || quote_ident(attname) || ' of partition ' || attrelid::regclass
           || ', which has rights, options, storage or NOT NULL of its own' FROM part
    WHERE attacl IS NOT NULL OR attoptions IS NOT NULL OR attstattarget >= 0 OR attnotnull AND NOT required
       OR attstorage <> (SELECT typstorage FROM pg_type WHERE oid = atttypid)
    UNION
    SELECT 'foreign table ' || attrelid::regclass || ', a partition' FROM part WHERE relkind = 'f'
    ORDER BY 1
"""
# Publications with updates of the table, by itself, with its schema or with all tables.
SENDS_UPDATES = """
    SELECT p.pubname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = c.relname
    JOIN pg_publication p ON p.pubname = t.pubname AND p.pubupdate WHERE c.oid = :relation AND :number > 0
"""
