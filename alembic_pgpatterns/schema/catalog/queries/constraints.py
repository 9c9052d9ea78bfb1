"""Constraints and policies."""

# From 16384 on are the objects of users (FirstNormalObjectId, access/transam.h); what is below came with the server.
CONSTRAINTS = """
SELECT con.oid::int8, con.conrelid::int8, con.conname::text, con.contype::text, con.condeferrable, con.condeferred,
       con.convalidated, <<18: con.conenforced | true>>, con.conkey::int8[], con.conindid::int8, con.confrelid::int8,
       con.confkey::int8[], con.confupdtype::text, con.confdeltype::text, con.confmatchtype::text, con.connoinherit,
       con.conparentid <> 0 OR NOT con.conislocal, <<18: con.conperiod | false>>, con.conpfeqop::int8[],
       CASE con.contype WHEN 'c' THEN pg_get_expr(con.conbin, con.conrelid)
                        WHEN 'x' THEN pg_get_constraintdef(con.oid) END
FROM pg_constraint con
LEFT JOIN pg_constraint parent ON parent.oid = con.conparentid
WHERE con.conrelid >= 16384 AND con.contype IN ('p', 'u', 'f', 'c', 'x', 'n')
  AND (con.contype <> 'n' OR NOT con.convalidated)
  -- A key that references a partitioned table has a copy for each of its partitions, on the same table.
  AND parent.conrelid IS DISTINCT FROM con.conrelid
ORDER BY con.conrelid, con.contype, con.conname
"""
"""NOT NULL constraints (contype n, PostgreSQL 18) only if they are not validated: otherwise the column shows it."""

# conkey's columns are those of each table that is read; confkey's may be of one that is left out, so they have a query.
REFERRED_COLUMNS = """
SELECT DISTINCT a.attrelid::int8, a.attnum::int8, n.nspname::text, c.relname::text, a.attname::text
FROM pg_constraint con
JOIN pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = ANY (con.confkey)
JOIN pg_class c ON c.oid = con.confrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE con.contype = 'f' AND con.conrelid >= 16384
"""
"""Also columns of tables that are left out of the schema."""

POLICIES = """
SELECT p.polrelid::int8, p.polname::text, p.polcmd::text, p.polpermissive,
       ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END
             FROM unnest(p.polroles) WITH ORDINALITY roles(r, n) ORDER BY n)::text[],
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p
ORDER BY p.polrelid, p.polname
"""

# _RETURN is what a view consists of.
RULES = """
SELECT r.ev_class::int8, r.rulename::text
FROM pg_rewrite r
WHERE r.rulename <> '_RETURN' AND r.ev_class >= 16384
ORDER BY r.ev_class, r.rulename
"""

# tgenabled D: off in every session (docs, pg_trigger). Internal ones are those of foreign keys and of deferrable keys.
DISABLED_TRIGGERS = """
SELECT t.tgrelid::int8, coalesce(k.conname, '')::text, t.tgname::text
FROM pg_trigger t
LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint AND k.contype = 'f'
WHERE t.tgenabled = 'D' AND t.tgrelid >= 16384 AND (NOT t.tgisinternal OR k.oid IS NOT NULL)
ORDER BY t.tgrelid, k.conname, t.tgname
"""

# The view, and not pg_publication_rel: it also has the tables of FOR ALL TABLES and FOR TABLES IN SCHEMA.
PUBLISHED = """
SELECT DISTINCT c.oid::int8
FROM pg_publication p
JOIN pg_publication_tables m ON m.pubname = p.pubname
JOIN pg_namespace n ON n.nspname = m.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.tablename
WHERE p.pubupdate OR p.pubdelete
ORDER BY 1
"""

PINNED = """
SELECT d.refobjid::int8, a.attname::text, pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_depend d
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid >= 16384 AND d.refobjsubid > 0
  AND (d.classid = 'pg_publication_rel'::regclass OR NOT t.tgisinternal OR r.rulename <> '_RETURN')
ORDER BY d.refobjid, a.attname, 3
"""
"""Objects because of which PostgreSQL refuses to change a column's type (RememberAllDependentForRebuilding)."""
