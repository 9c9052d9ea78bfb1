"""Namespaces, relations, columns, types."""

# deptype e: a member of an extension (docs, pg_depend), which its author changes and nobody else.
NAMESPACES = """
SELECT n.nspname::text, pg_get_userbyid(n.nspowner)::text
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY n.nspname
"""

RELATIONS = """
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
       pg_get_userbyid(c.relowner)::text, c.relrowsecurity, c.relforcerowsecurity, c.relreplident::text,
       c.reloptions::text[], c.relispartition, p.partstrat::text, p.partattrs::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'm', 'v', 'S') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""

WITH_ROWS = """
SELECT n.nspname::text, c.relname::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND c.relkind = 'r' AND pg_relation_size(c.oid) > 0
"""
"""Tables into which something was written; reltuples says so only after ANALYZE."""

PARENTS = "SELECT inhrelid::int8, inhparent::int8 FROM pg_inherits ORDER BY inhrelid, inhseqno"
"""The parents of tables and of indexes."""

# System columns have numbers below 0; a dropped column keeps its row and its number.
COLUMNS = """
SELECT a.attrelid::int8, a.attnum::int8, a.attname::text, a.atttypid::int8, a.atttypmod::int8, a.attcollation::int8,
       a.attnotnull, a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'm')
ORDER BY a.attrelid, a.attnum
"""

TYPES = """
WITH RECURSIVE used(oid) AS (
  SELECT DISTINCT a.atttypid FROM pg_attribute a WHERE a.attrelid >= 16384 AND a.attnum > 0 AND a.atttypid <> 0
  UNION
  SELECT inner_type.oid
  FROM used
  JOIN pg_type t ON t.oid = used.oid
  CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) inner_type(oid)
  WHERE inner_type.oid <> 0
)
SELECT t.oid::int8, n.nspname::text, t.typname::text, t.typtype::text, t.typcategory::text, t.typelem::int8,
       t.typbasetype::int8, t.typtypmod::int8, t.typnotnull,
       EXISTS (SELECT FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c'),
       CASE WHEN t.typtype = 'e'
            THEN ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) END
FROM used
JOIN pg_type t ON t.oid = used.oid
JOIN pg_namespace n ON n.oid = t.typnamespace
"""

# A dropped column has type 0.
TYPE_SPELLINGS = """
SELECT used.atttypid::int8, used.atttypmod::int8, format_type(used.atttypid, used.atttypmod)
FROM (SELECT DISTINCT atttypid, atttypmod FROM pg_attribute
      WHERE attrelid >= 16384 AND attnum > 0 AND atttypid <> 0) used
"""

COLLATIONS = """
SELECT c.oid::int8, n.nspname::text, c.collname::text
FROM pg_collation c
JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.oid IN (SELECT attcollation FROM pg_attribute WHERE attrelid >= 16384)
"""

COMMENTS = """
SELECT d.classoid = 'pg_constraint'::regclass, d.objoid::int8, d.objsubid::int8, d.description
FROM pg_description d
WHERE d.classoid IN ('pg_class'::regclass, 'pg_constraint'::regclass) AND d.objoid >= 16384
"""
