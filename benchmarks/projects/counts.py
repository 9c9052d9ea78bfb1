"""What a catalog query of our own finds, written apart from the package, to compare its findings with.

Each query lists the objects that one pattern should report, named as findings name them: of tables and
partitioned tables outside the system's schemas, without leaf partitions, members of extensions and Alembic's
version table.
"""

from __future__ import annotations

from typing import Any

import psycopg

OURS = """
  our AS (
    SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relname <> 'alembic_version'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e'))
"""

# A type, its element or base type, and so on down; the modifier is the domain's where a domain carries one.
TYPES = """
  kind (oid, part, typmod) AS (
    SELECT oid, oid, NULL::int FROM pg_type
    UNION
    SELECT kind.oid, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END,
           CASE WHEN t.typtype = 'd' AND t.typtypmod <> -1 THEN t.typtypmod ELSE kind.typmod END
    FROM kind JOIN pg_type t ON t.oid = kind.part
    WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0))
"""

COLUMNS = f"""
  WITH RECURSIVE {OURS}, {TYPES}
  SELECT our.name || '.' || quote_ident(a.attname) FROM our
  JOIN pg_attribute a ON a.attrelid = our.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE EXISTS (SELECT FROM kind WHERE kind.oid = a.atttypid AND """

# Another index of the table that does all that this one does, and is worth more (backs a constraint, is older).
ALIKE = """b.oid = a.oid AND b.alike = a.alike AND b.worth < a.worth
  AND (b.indisunique AND NOT a.indisunique
       OR b.indisunique = a.indisunique AND b.indnullsnotdistinct = a.indnullsnotdistinct)"""

QUERIES = {
    "unindexed-foreign-key": f"""
  WITH {OURS}
  SELECT DISTINCT our.name || '(' || (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(f.conkey) WITH ORDINALITY k (num, n)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num) || ')'
  FROM our JOIN pg_constraint f ON f.conrelid = our.oid AND f.contype = 'f' AND f.conparentid = 0 AND f.conenforced
  WHERE NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE i.indrelid = f.conrelid AND i.indisvalid AND i.indisready
      AND m.amname IN ('btree', 'hash', 'gist', 'spgist', 'gin')
      AND i.indnkeyatts >= cardinality(f.conkey)
      AND f.conkey <@ (i.indkey::int2[])[0:cardinality(f.conkey) - 1]
      AND (i.indpred IS NULL OR EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)
          AND pg_get_expr(i.indpred, i.indrelid) = '(' || quote_ident(a.attname) || ' IS NOT NULL)'))
      AND NOT EXISTS (
        SELECT FROM unnest(f.conkey, f.conpfeqop) k (num, operator)
        JOIN unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) x (num, class, coll) ON x.num = k.num
        JOIN pg_opclass o ON o.oid = x.class
        JOIN pg_operator p ON p.oid = k.operator
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num
        WHERE x.coll NOT IN (0, a.attcollation) OR NOT EXISTS (
          SELECT FROM pg_amop WHERE amopfamily = o.opcfamily AND amopopr IN (p.oid, p.oprcom))))""",
    "duplicate-index": f"""
  WITH {OURS}, shape AS (
    SELECT our.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS index,
           i.indisunique, i.indnullsnotdistinct,
           concat_ws('|', m.amname, i.indkey, i.indclass, i.indcollation, i.indoption, i.indnkeyatts,
                     coalesce(pg_get_expr(i.indexprs, i.indrelid), '-'),
                     coalesce(pg_get_expr(i.indpred, i.indrelid), '-')) AS alike,
           rank() OVER (ORDER BY k.oid IS NULL, NOT i.indisreplident, NOT i.indisunique, i.indexrelid) AS worth
    FROM our JOIN pg_index i ON i.indrelid = our.oid JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indisvalid)
  SELECT a.index FROM shape a WHERE EXISTS (SELECT FROM shape b WHERE {ALIKE})""",
    "missing-primary-key": f"""
  WITH {OURS}
  SELECT our.name FROM our
  WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = our.oid AND k.contype = 'p')""",
    "varchar-length": COLUMNS + "kind.part = 'varchar'::regtype AND coalesce(kind.typmod, a.atttypmod) <> -1)",
    "timestamp-without-time-zone": COLUMNS + "kind.part = 'timestamp'::regtype)",
}

SIZE = """
  SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
         (SELECT count(*) FROM pg_constraint WHERE contype = 'f')"""


def size(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """Return how many tables (Alembic's own among them) and foreign keys there are."""
    row = connection.execute(SIZE).fetchone()
    assert row is not None
    return row[0], row[1]


def expected(connection: psycopg.Connection[Any]) -> dict[str, set[str]]:
    """Return for each pattern the objects that it should report. Needs PostgreSQL 18 (`conenforced`)."""
    return {pattern: {row[0] for row in connection.execute(query.encode())} for pattern, query in QUERIES.items()}
