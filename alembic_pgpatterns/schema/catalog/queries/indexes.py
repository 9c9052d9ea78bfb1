"""Indexes, operator classes and families."""

# relkind: indexes of TOAST tables are nobody's. contype: conindid of a foreign key is the index that it refers to.
INDEXES = """
SELECT i.indexrelid::int8, i.indrelid::int8, n.nspname::text, c.relname::text, am.amname::text,
       i.indnkeyatts::int8, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
       CASE WHEN i.indexprs IS NOT NULL
            THEN ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, false)
                       FROM generate_series(1, i.indnkeyatts::int) k ORDER BY k) END,
       CASE WHEN i.indexprs IS NOT NULL
            THEN ARRAY(SELECT a.atttypid::int8 FROM pg_attribute a
                       WHERE a.attrelid = i.indexrelid AND a.attnum > 0 ORDER BY a.attnum) END,
       CASE WHEN i.indexprs IS NOT NULL
            THEN ARRAY(SELECT a.atttypmod::int8 FROM pg_attribute a
                       WHERE a.attrelid = i.indexrelid AND a.attnum > 0 ORDER BY a.attnum) END,
       pg_get_expr(i.indpred, i.indrelid), i.indisunique, <<15: i.indnullsnotdistinct | false>>,
       i.indisvalid, i.indisready,
       -- A concurrent build holds this lock on the table throughout; pg_stat_progress_create_index hides other roles'.
       NOT i.indisvalid AND EXISTS (
         SELECT FROM pg_locks l
         WHERE l.locktype = 'relation' AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock'
           AND l.granted AND l.pid <> pg_backend_pid()
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
       con.conname::text, con.contype::text, i.indisreplident, i.indisclustered, c.reloptions::text[]
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_am am ON am.oid = c.relam
JOIN pg_class r ON r.oid = i.indrelid AND r.relkind IN ('r', 'p', 'm')
LEFT JOIN pg_constraint con
  ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')
WHERE i.indrelid >= 16384
ORDER BY i.indrelid, c.relname
"""

OPERATOR_CLASSES = """
SELECT o.oid::int8, am.amname::text, cn.nspname::text, o.opcname::text, o.opcdefault, o.opcintype::int8,
       o.opckeytype <> 0,
       fn.nspname::text, f.opfname::text
FROM pg_opclass o
JOIN pg_am am ON am.oid = o.opcmethod
JOIN pg_namespace cn ON cn.oid = o.opcnamespace
JOIN pg_opfamily f ON f.oid = o.opcfamily
JOIN pg_namespace fn ON fn.oid = f.opfnamespace
"""

# BRIN has operators for equality too, and finds ranges of blocks, not rows.
EQUALITY_FAMILIES = """
SELECT DISTINCT o.oid::int8, n.nspname::text, f.opfname::text
FROM (SELECT DISTINCT unnest(c.conpfeqop) AS operator FROM pg_constraint c WHERE c.contype = 'f') used
JOIN pg_operator o ON o.oid = used.operator
JOIN pg_amop m ON m.amopopr IN (o.oid, o.oprcom) AND m.amoppurpose = 's'
JOIN pg_opfamily f ON f.oid = m.amopfamily
JOIN pg_am am ON am.oid = f.opfmethod AND am.amname <> 'brin'
JOIN pg_namespace n ON n.oid = f.opfnamespace
"""
"""For each equality operator of a foreign key: the operator families that hold it or its commutator."""
