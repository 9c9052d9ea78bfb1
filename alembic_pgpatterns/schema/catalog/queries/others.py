"""Views, sequences, functions, extensions, privileges, statistics."""

EXTENSIONS = """
SELECT e.extname::text, n.nspname::text, e.extversion, e.extrelocatable
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
ORDER BY e.extname
"""

VIEWS = """
SELECT c.oid::int8, pg_get_viewdef(c.oid, false)
FROM pg_class c
WHERE c.oid >= 16384 AND c.relkind IN ('v', 'm')
"""

# The rule _RETURN is the view (docs, "The Rule System"); it depends on its own relation as well.
VIEW_READS = """
SELECT DISTINCT w.ev_class::int8, n.nspname::text, c.relname::text, a.attname::text
FROM pg_rewrite w
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class c ON c.oid = d.refobjid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
WHERE w.rulename = '_RETURN' AND w.ev_class >= 16384 AND d.refobjid <> w.ev_class
  AND c.relkind IN ('r', 'p', 'f', 'm', 'v')
"""

# deptype a: OWNED BY, as serial has it; i: the sequence of an identity column (docs, pg_depend).
SEQUENCES = """
SELECT s.seqrelid::int8, format_type(s.seqtypid, NULL), s.seqstart, s.seqmin, s.seqmax, s.seqincrement, s.seqcycle,
       d.deptype::text, d.refobjid::int8, d.refobjsubid::int8
FROM pg_sequence s
LEFT JOIN pg_depend d
  ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.objsubid = 0
  AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
WHERE s.seqrelid >= 16384
"""

SEQUENCE_USES = """
SELECT d.refobjid::int8, f.adrelid::int8, f.adnum::int8
FROM pg_depend d
JOIN pg_attrdef f ON f.oid = d.objid
JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'S'
WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
"""

# A standby cannot read unlogged sequences, and nobody can read another session's temporary ones.
SEQUENCE_VALUES = """
SELECT s.seqrelid::int8, CASE WHEN has_sequence_privilege(s.seqrelid, 'SELECT, USAGE')
    AND (c.relpersistence = 'p' OR (c.relpersistence = 'u' AND NOT pg_is_in_recovery()))
  THEN pg_sequence_last_value(s.seqrelid) END
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
WHERE s.seqrelid >= 16384
"""
"""Takes ROW EXCLUSIVE on each sequence, as nextval does. It blocks no writer."""

FUNCTIONS = """
SELECT n.nspname::text, p.proname::text, oidvectortypes(p.proargtypes), p.prokind::text, l.lanname::text,
       p.provolatile::text, p.prosecdef, p.proconfig::text[], <<14: p.prosqlbody IS NOT NULL | false>>,
       pg_get_userbyid(p.proowner)::text
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY n.nspname, p.proname, 3
"""

# COLLATE "C": the report's order must not depend on the collation of the database.
GRANTS = """
WITH grants(target, schema, name, arguments, attname, owner, acl) AS (
  SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname, NULL::text, NULL::name,
         c.relowner, c.relacl
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid >= 16384 AND c.relacl IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'table', n.nspname, c.relname, NULL, a.attname, c.relowner, a.attacl
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE a.attrelid >= 16384 AND a.attacl IS NOT NULL AND NOT a.attisdropped
  UNION ALL
  SELECT 'schema', n.nspname, n.nspname, NULL, NULL, n.nspowner, n.nspacl
  FROM pg_namespace n
  WHERE n.nspacl IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'function', n.nspname, p.proname, oidvectortypes(p.proargtypes), NULL, p.proowner,
         coalesce(p.proacl, acldefault('f', p.proowner))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid >= 16384
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'type', n.nspname, t.typname, NULL, NULL, t.typowner, t.typacl
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.oid >= 16384 AND t.typacl IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'database', '', b.datname, NULL, NULL, b.datdba, coalesce(b.datacl, acldefault('d', b.datdba))
  FROM pg_database b
  WHERE b.datname = current_database()
)
SELECT g.target, g.schema::text, g.name::text, g.arguments, g.attname::text,
       (CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END) COLLATE "C",
       pg_get_userbyid(a.grantor)::text, a.privilege_type, a.is_grantable
FROM grants g
CROSS JOIN LATERAL aclexplode(g.acl) a
WHERE a.grantee <> g.owner AND g.schema !~ '^pg_' AND g.schema <> 'information_schema'
ORDER BY g.target COLLATE "C", g.schema, g.name, g.arguments COLLATE "C", g.attname, 6, a.privilege_type COLLATE "C"
"""
"""Not the owner's. PostgreSQL's default privileges are included only for functions and the database."""

DEFAULT_PRIVILEGES = """
SELECT pg_get_userbyid(f.defaclrole)::text, n.nspname::text, f.defaclobjtype::text,
       (CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END) COLLATE "C", a.privilege_type
FROM pg_default_acl f
LEFT JOIN pg_namespace n ON n.oid = f.defaclnamespace
CROSS JOIN LATERAL aclexplode(f.defaclacl) a
WHERE a.grantee <> f.defaclrole
  -- An entry for all schemas starts from PostgreSQL's own defaults, which nobody chose.
  AND NOT (f.defaclnamespace = 0 AND EXISTS (
    SELECT FROM aclexplode(acldefault(
      (CASE f.defaclobjtype WHEN 'S' THEN 's' ELSE f.defaclobjtype END)::"char", f.defaclrole)) b
    WHERE b.grantee = a.grantee AND b.privilege_type = a.privilege_type))
ORDER BY 1, 2, 3, 4, 5
"""

TABLE_STATISTICS = """
SELECT c.oid::int8, c.reltuples::float8, s.n_dead_tup, s.n_mod_since_analyze, pg_table_size(c.oid),
       s.seq_scan, s.idx_scan, s.seq_tup_read
FROM pg_class c
JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm')
"""
"""Takes ACCESS SHARE on each table, to measure its size."""

# inherited: of a table together with its children.
COLUMN_STATISTICS = """
SELECT s.schemaname::text, s.tablename::text, s.attname::text, s.null_frac::float8, s.n_distinct::float8
FROM pg_stats s
WHERE s.schemaname !~ '^pg_' AND NOT s.inherited
"""

INDEX_STATISTICS = """
SELECT s.indexrelid::int8, s.idx_scan, pg_relation_size(s.indexrelid)
FROM pg_stat_user_indexes s
"""
