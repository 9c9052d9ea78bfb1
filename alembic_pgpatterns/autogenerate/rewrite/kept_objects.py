"""What reads a column and can be created again: policies, triggers, rules, publications, generated columns.

Rights and options of the column come back too.

PostgreSQL refuses to drop a column, or to change its type, while these use it. They are read from the catalog when the
revision runs, dropped before the change and created again after it, in the same transaction. No row is read, but for a
stored generated column: PostgreSQL has no way to add one without computing it for all rows under the lock (docs, ALTER
TABLE). So that the lock stays short, a table that is larger than `LARGEST` is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.recast import Recast
from alembic_pgpatterns.autogenerate.rewrite.view_sql import Column, are_among, literal, literal_line
from alembic_pgpatterns.schema.names import do_block

LARGEST = "32 MB"
"""Of a table, with its TOAST table and without its indexes: PostgreSQL writes so much again in about a second."""
_WRITTEN = " when this revision was written"
REWRITE_SETTING = "pgpatterns.rewrite"

# pg_publication_rel has the columns prattrs and prqual since PostgreSQL 15; through to_jsonb() a server without them
# reads the query too. A trigger of a partition comes with that of the parent table (tgparentid).
_SAVED = Template("""
DECLARE
  pgpatterns_object record;
BEGIN$limit
  CREATE TEMP TABLE pgpatterns_objects ON COMMIT DROP AS
  WITH changed AS (
    SELECT a.*, a.attrelid::regclass AS relation FROM pg_attribute a WHERE NOT a.attisdropped AND ($columns)
  ), user_of AS (
    SELECT DISTINCT d.classid, d.objid FROM changed a JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
  ), generated AS (
    SELECT DISTINCT g.attrelid, g.attnum, g.attname, g.atttypid, g.atttypmod, g.attcollation, g.attgenerated,
                    g.attnotnull
    FROM user_of u JOIN pg_attrdef f ON u.classid = 'pg_attrdef'::regclass AND f.oid = u.objid
    JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum AND g.attgenerated <> ''
    WHERE NOT EXISTS (SELECT FROM changed a WHERE a.attrelid = g.attrelid AND a.attnum = g.attnum)
  ), of_generated AS (
    SELECT DISTINCT d.classid, d.objid AS oid FROM generated g JOIN pg_depend d
      ON d.refclassid = 'pg_class'::regclass AND d.refobjid = g.attrelid AND d.refobjsubid = g.attnum
    WHERE d.classid IN ('pg_class'::regclass, 'pg_statistic_ext'::regclass)
  ), object (oid, kind, name, relation, catalog, definition, enabled) AS (
    SELECT p.oid, 'POLICY', quote_ident(p.polname), p.polrelid::regclass, 'pg_policy',
           format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, p.polrelid::regclass,
                  CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                  (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ')
                   FROM unnest(p.polroles) r))
           || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
           || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''), 'O'
    FROM user_of u JOIN pg_policy p ON u.classid = 'pg_policy'::regclass AND p.oid = u.objid
    UNION ALL
    SELECT t.oid, 'TRIGGER', quote_ident(t.tgname), t.tgrelid::regclass, 'pg_trigger', pg_get_triggerdef(t.oid),
           t.tgenabled
    FROM user_of u JOIN pg_trigger t ON u.classid = 'pg_trigger'::regclass AND t.oid = u.objid
    WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT r.oid, 'RULE', quote_ident(r.rulename), r.ev_class::regclass, 'pg_rewrite', pg_get_ruledef(r.oid),
           r.ev_enabled
    FROM user_of u JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid
    WHERE r.rulename <> '_RETURN')
  SELECT 1 AS number, format('DROP %s %s ON %s', kind, name, relation) AS before, definition AS after FROM object
  UNION ALL
  SELECT 1, format('ALTER TABLE %s DROP COLUMN %I', g.attrelid::regclass, g.attname),
         format('ALTER TABLE %s ADD COLUMN %I %s%s GENERATED ALWAYS AS (%s) %s%s', g.attrelid::regclass, g.attname,
                format_type(g.atttypid, g.atttypmod),
                CASE WHEN g.attcollation <> y.typcollation THEN ' COLLATE ' || g.attcollation::regcollation ELSE '' END,
                pg_get_expr(f.adbin, f.adrelid), CASE g.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END,
                CASE WHEN g.attnotnull THEN ' NOT NULL' ELSE '' END)
  FROM generated g JOIN pg_attrdef f ON f.adrelid = g.attrelid AND f.adnum = g.attnum
  JOIN pg_type y ON y.oid = g.atttypid
  UNION ALL
  SELECT 2, NULL, pg_get_indexdef(i.oid) FROM of_generated i WHERE classid = 'pg_class'::regclass
  UNION ALL
  SELECT 2, NULL, pg_get_statisticsobjdef(i.oid) FROM of_generated i WHERE classid = 'pg_statistic_ext'::regclass
  UNION ALL
  SELECT 3, NULL, format('COMMENT ON %s %s IS %L', CASE classid WHEN 'pg_class'::regclass THEN 'INDEX' ELSE
                         'STATISTICS' END, (pg_identify_object(classid, i.oid, 0)).identity,
                         obj_description(i.oid, classid::regclass::text::name))
  FROM of_generated i WHERE obj_description(i.oid, classid::regclass::text::name) IS NOT NULL
  UNION ALL
  SELECT 3, NULL, format('COMMENT ON COLUMN %s.%I IS %L', g.attrelid::regclass, g.attname, d.description)
  FROM generated g
  JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = g.attrelid AND d.objsubid = g.attnum
  UNION ALL
  SELECT 2, NULL, format('ALTER TABLE %s %s %s %s', relation, CASE enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN
                         'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, kind, name) FROM object WHERE enabled <> 'O'
  UNION ALL
  SELECT 3, NULL, format('COMMENT ON %s %s ON %s IS %L', kind, name, relation, obj_description(oid, catalog))
  FROM object WHERE obj_description(oid, catalog) IS NOT NULL
  UNION ALL
  SELECT 4, format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname, r.prrelid::regclass),
         format('ALTER PUBLICATION %I ADD TABLE %s', p.pubname, r.prrelid::regclass)
         || CASE WHEN to_jsonb(r) ->> 'prattrs' IS NULL THEN '' ELSE ' (' || (
              SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
              WHERE a.attrelid = r.prrelid
              AND a.attnum::text IN (SELECT (regexp_matches(to_jsonb(r) ->> 'prattrs', '[0-9]+', 'g'))[1])) || ')' END
         || coalesce(' WHERE (' || (
              SELECT to_jsonb(t) ->> 'rowfilter' FROM pg_publication_tables t JOIN pg_class c ON c.oid = r.prrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE t.pubname = p.pubname AND t.schemaname = n.nspname AND t.tablename = c.relname) || ')', '')
  FROM user_of u JOIN pg_publication_rel r ON u.classid = 'pg_publication_rel'::regclass AND r.oid = u.objid
  JOIN pg_publication p ON p.oid = r.prpubid
  UNION ALL
  SELECT 5, NULL, format('GRANT %s (%I) ON %s TO %s', e.privilege_type, a.attname, a.relation,
                         CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END)
         || CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
  FROM changed a, aclexplode(a.attacl) e
  UNION ALL
  SELECT 6, NULL, format('ALTER TABLE %s ALTER %I SET STATISTICS %s', a.relation, a.attname, a.attstattarget)
  FROM changed a WHERE a.attstattarget >= 0
  UNION ALL
  SELECT 6, NULL, format('ALTER TABLE %s ALTER %I SET (%s)', a.relation, a.attname, array_to_string(a.attoptions, ', '))
  FROM changed a WHERE a.attoptions IS NOT NULL;$recast
  FOR pgpatterns_object IN SELECT before FROM pgpatterns_objects WHERE before IS NOT NULL LOOP
    EXECUTE pgpatterns_object.before;
  END LOOP;
END """)
# Where an expression reads the column as its old type from now on.
_RECAST = Template("""
  IF NOT EXISTS (SELECT FROM pgpatterns_objects WHERE position($old in after) > 0) THEN
    RAISE EXCEPTION '%', $message USING HINT = 'Write the revision again, on a database that has it.';
  END IF;
  UPDATE pgpatterns_objects SET after = replace(after, $old, $new);""")
_LIMIT = Template("""
  FOR pgpatterns_object IN
    SELECT DISTINCT g.attname AS name, g.attrelid::regclass AS relation, pg_table_size(g.attrelid) AS size
    FROM pg_attribute a JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    JOIN pg_attrdef f ON f.oid = d.objid
    JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum AND g.attgenerated = 's'
    WHERE NOT a.attisdropped AND ($columns) AND pg_table_size(g.attrelid) > pg_size_bytes('$largest')
      AND current_setting('$setting', true) IS DISTINCT FROM 'on'
  LOOP
    RAISE EXCEPTION '% has %: the generated column % can only be computed for all rows while nobody reads or writes it',
      pgpatterns_object.relation, pg_size_pretty(pgpatterns_object.size), pgpatterns_object.name
      USING HINT = 'Up to $largest this is done. In a quiet hour: PGOPTIONS="-c $setting=on" alembic upgrade head. '
        'Without a long lock: let a trigger compute the column from now on, and ALTER COLUMN ... DROP EXPRESSION.';
  END LOOP;""")
_RESTORED = """
DECLARE
  pgpatterns_object record;
BEGIN
  FOR pgpatterns_object IN SELECT after FROM pgpatterns_objects ORDER BY number LOOP
    EXECUTE pgpatterns_object.after;
  END LOOP;
  DROP TABLE pgpatterns_objects;
END """


def saved_objects(columns: Iterable[Column], rebuilt: bool = False, recast: Iterable[Recast] = ()) -> str:
    """The PL/pgSQL block that keeps the definitions of what reads some columns, and drops it.

    Locks: ACCESS EXCLUSIVE on the tables of policies, triggers and rules until the transaction ends.

    Args:
        columns: of tables. A generated column among them is left to the caller.
        rebuilt: a stored generated column reads one of them. Its table is read and written as a whole.
        recast: the objects that come back with a cast.
    """
    condition = are_among(columns, "a.attrelid", "a.attname")
    limit = _LIMIT.substitute(columns=condition, largest=LARGEST, setting=REWRITE_SETTING) if rebuilt else ""
    casts = "".join(
        _RECAST.substitute(
            old=literal_line(old),
            new=literal_line(new),
            message=literal(f"pgpatterns: {name} is not what it was{_WRITTEN}"),
        )
        for each in recast
        for name, (old, new) in zip(each.recreated, each.pieces, strict=True)
    )
    return _SAVED.substitute(columns=condition, limit=limit, recast=casts)


def restored_objects() -> str:
    """The PL/pgSQL block that creates all of it again."""
    return _RESTORED


def around_objects(columns: Iterable[Column], rebuilt: bool = False, recast: Iterable[Recast] = ()) -> tuple[str, str]:
    """Return the statements before and after the change of some columns; see `saved_objects`."""
    return do_block(saved_objects(columns, rebuilt, recast)), do_block(restored_objects())
