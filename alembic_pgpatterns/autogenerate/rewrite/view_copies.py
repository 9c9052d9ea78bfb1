"""Copies of materialised views that read a column, made and filled for the column that will replace it.

To fill a materialised view in the swap would keep readers and writers of the table waiting. So a copy is made before,
with its indexes, and the swap gives it the old one's name. PostgreSQL itself writes the copy's definition: in one short
transaction the new column and the copies have the old names, then all names go back. Views refer to columns and
relations by number, so a definition keeps what it was made with.
"""

from __future__ import annotations

from collections.abc import Collection
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.lock_block import attempts
from alembic_pgpatterns.autogenerate.rewrite.recast import NOTHING, Recast, changed_since
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table
from alembic_pgpatterns.autogenerate.rewrite.view_sql import COPIED, Column, checksum, closure, literal, literal_line
from alembic_pgpatterns.schema.names import do_block, quote

MARK = "pgpatterns: copy of "
"""How the comment of a copy begins. The name and a checksum of the definition of what it copies follow."""

# As `swap_parts.beside` writes it, but for names that are too long: those cannot be checked before anyway.
_NEW = "CASE WHEN octet_length({0}) < 60 THEN {0} || '_new' ELSE 'pgpatterns_' || {1} || '_new' END"
_DROPPED = Template("""
  FOR pgpatterns_view IN
    $closure
    SELECT format('DROP %s %s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                  c.oid::regclass) AS statement
    FROM dependent JOIN pg_class c USING (oid) WHERE obj_description(c.oid, 'pg_class') LIKE $mark || '%'
    GROUP BY c.oid, c.relkind ORDER BY max(depth) DESC
  LOOP
    EXECUTE pgpatterns_view.statement;
  END LOOP;""")
# The order of the statements: all old names go first, then the copies are made, then the old names come back.
_MADE = Template("""
DECLARE
  pgpatterns_view record;
BEGIN$locked$dropped$unchanged
  CREATE TEMP TABLE pgpatterns_copies ON COMMIT DROP AS
  $closure$copied, view AS (
    SELECT c.oid, c.relname, c.relkind, c.reloptions, c.reltablespace, format('%I.', n.nspname) AS schema, depth,
           CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind,
           rtrim(pg_get_viewdef(c.oid), ';') AS query
    FROM (SELECT oid, max(depth) AS depth FROM dependent JOIN copied USING (oid) GROUP BY oid) v
    JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
  ), name (oid, kind, schema, old, hidden, new, mark) AS (
    SELECT v.oid, kind, schema, relname, 'pgpatterns_' || v.oid, $new_name,
           $mark || schema || quote_ident(relname) || ' ' || md5(query) FROM view v
    UNION ALL
    SELECT x.oid, 'INDEX', v.schema, x.relname, 'pgpatterns_' || x.oid, $new_index,
           $mark || x.relname FROM view v JOIN pg_index i ON i.indrelid = v.oid JOIN pg_class x ON x.oid = i.indexrelid)
  SELECT 1 AS number, 0 AS depth, format('ALTER %s %s%I RENAME TO %I', kind, schema, old, hidden) AS statement FROM name
  UNION ALL
  SELECT 2, depth, format('CREATE %s %s%I%s%s AS %s%s', kind, schema, relname,
                          ' WITH (' || array_to_string(v.reloptions, ', ') || ')',
                          ' TABLESPACE ' || quote_ident(spcname), $query,
                          CASE relkind WHEN 'm' THEN ' WITH NO DATA' END)
  FROM view v LEFT JOIN pg_tablespace s ON s.oid = v.reltablespace
  UNION ALL
  SELECT 3, depth, pg_get_indexdef(i.indexrelid) FROM view v JOIN pg_index i ON i.indrelid = v.oid
  UNION ALL
  SELECT 4, 0, format('COMMENT ON %s %s%I IS %L', kind, schema, old, mark) FROM name
  UNION ALL
  SELECT 5, 0, format('ALTER %s %s%I RENAME TO %I', kind, schema, old, new) FROM name
  UNION ALL
  SELECT 6, 0, format('ALTER %s %s%I RENAME TO %I', kind, schema, hidden, old) FROM name;
  $renamed
  FOR pgpatterns_view IN SELECT statement FROM pgpatterns_copies ORDER BY number, depth LOOP
    EXECUTE pgpatterns_view.statement;
  END LOOP;
  $renamed_back
END """)
_UNCHANGED = Template("""
  IF md5(rtrim(pg_get_viewdef(to_regclass($name)), ';')) IS DISTINCT FROM $checksum THEN
    RAISE EXCEPTION '%', $message USING HINT = 'Write the revision again, on a database that has it.';
  END IF;""")
_FILLED = Template("""
DECLARE
  pgpatterns_view record;
BEGIN
  FOR pgpatterns_view IN
    $closure, view AS (
      SELECT c.oid, c.relispopulated, depth,
             $mark || format('%I.%I ', n.nspname, c.relname) || md5(rtrim(pg_get_viewdef(c.oid), ';')) AS mark
      FROM (SELECT oid, max(depth) AS depth FROM dependent GROUP BY oid) v
      JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm')
    SELECT d.objoid::regclass AS copy FROM view JOIN pg_description d ON d.description = view.mark
    WHERE d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND view.relispopulated ORDER BY depth
  LOOP
    EXECUTE format('REFRESH MATERIALIZED VIEW %s', pgpatterns_view.copy);
    EXECUTE format('ANALYZE %s', pgpatterns_view.copy);
  END LOOP;
END """)
_TAKEN = Template("""
  CREATE TEMP TABLE pgpatterns_copies ON COMMIT DROP AS
  SELECT v.oid, d.objoid AS copy FROM pgpatterns_views v
  JOIN pg_description d ON d.description = $mark || v.name || ' ' || md5(v.query)
  WHERE v.number = 1 AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0;
  FOR pgpatterns_view IN
    SELECT name FROM pgpatterns_views v WHERE number = 1 AND kind = 'MATERIALIZED VIEW' AND (
      NOT EXISTS (SELECT FROM pgpatterns_copies c WHERE c.oid = v.oid)
      OR EXISTS (
        SELECT FROM pg_index o JOIN pg_class x ON x.oid = o.indexrelid WHERE o.indrelid = v.oid AND NOT EXISTS (
          SELECT FROM pgpatterns_copies c JOIN pg_index i ON i.indrelid = c.copy
          JOIN pg_description d ON d.objoid = i.indexrelid AND d.description = $mark || x.relname WHERE c.oid = v.oid)))
  LOOP
    RAISE EXCEPTION 'pgpatterns: % has changed since its copy was made, or has no copy', pgpatterns_view.name
      USING HINT = 'Run the revision again: it makes the copies again.';
  END LOOP;
  UPDATE pgpatterns_views v SET statement = format('ALTER %s %s RENAME TO %I', v.kind, c.copy::regclass, o.relname)
  FROM pgpatterns_copies c JOIN pg_class o USING (oid) WHERE v.oid = c.oid AND v.number = 1;
  DELETE FROM pgpatterns_views v USING pgpatterns_copies c WHERE c.oid = v.oid AND v.number = 7;
  INSERT INTO pgpatterns_views (oid, depth, name, kind, number, statement)
  SELECT v.oid, v.depth, v.name, v.kind, a.number, a.statement
  FROM pgpatterns_copies c JOIN pgpatterns_views v ON v.oid = c.oid AND v.number = 1
  CROSS JOIN LATERAL (
    SELECT 2 AS number, format('COMMENT ON %s %s IS NULL', v.kind, v.name) AS statement
    UNION ALL
    SELECT n.number, CASE n.number WHEN 7 THEN format('ALTER INDEX %s RENAME TO %I', i.indexrelid::regclass, x.relname)
                     ELSE format('COMMENT ON INDEX %s IS NULL', o.indexrelid::regclass) END
    FROM pg_index o JOIN pg_class x ON x.oid = o.indexrelid JOIN pg_index i ON i.indrelid = c.copy
    JOIN pg_description d ON d.objoid = i.indexrelid AND d.description = $mark || x.relname
    CROSS JOIN (VALUES (7), (8)) n (number) WHERE o.indrelid = v.oid) a;
  DROP TABLE pgpatterns_copies;""")


def copied(column: Column, new: str, tables: Collection[str], recast: Recast = NOTHING) -> tuple[str, str]:
    """Return statements that make the copies, and that fill them. Either can run again.

    Locks: ACCESS EXCLUSIVE on the table and its views, for a moment, while the copies are made; ACCESS SHARE on the
    table while they are filled.

    Args:
        column: that the materialised views read.
        new: the name of the column that will replace it.
        tables: quoted names of the tables to lock.
        recast: the views whose copies read the new column as the old type.
    """
    schema, table, old = column
    alter, hidden = alter_table(schema, table), quote("pgpatterns_old")
    renames = [f"{alter} RENAME {quote(old)} TO {hidden};", f"{alter} RENAME {quote(new)} TO {quote(old)};"]
    back = [f"{alter} RENAME {quote(old)} TO {quote(new)};", f"{alter} RENAME {hidden} TO {quote(old)};"]
    made = _MADE.substitute(
        locked=attempts(tables, [column]),
        dropped=dropped((schema, table, new)),
        closure=closure([column]),
        copied=COPIED,
        new_name=_NEW.format("v.relname", "v.oid"),
        new_index=_NEW.format("x.relname", "x.oid"),
        mark=literal(MARK),
        query=_query(recast),
        unchanged=_unchanged(recast),
        renamed="\n  ".join(renames),
        renamed_back="\n  ".join(back),
    )
    return do_block(made), do_block(_FILLED.substitute(closure=closure([column]), mark=literal(MARK)))


def _unchanged(recast: Recast) -> str:
    """Refuse another view than the one whose query has been changed."""
    return "".join(
        _UNCHANGED.substitute(
            name=literal(name), checksum=literal(checksum(old)), message=literal(f"pgpatterns: {changed_since(name)}")
        )
        for name, old, _ in recast.views
    )


def _query(recast: Recast) -> str:
    """The query of a copy, in SQL."""
    if not recast.views:
        return "query"
    rows = [(literal(name), literal(checksum(old)), literal_line(new)) for name, old, new in recast.views]
    changed = ", ".join(f"({', '.join(row)})" for row in rows)
    return f"""coalesce((
    SELECT c.changed FROM (VALUES {changed}) c (name, checksum, changed)
    WHERE c.name = schema || quote_ident(relname) AND c.checksum = md5(query)), query)"""  # noqa: S608 - literals


def dropped(new: Column) -> str:
    """Return PL/pgSQL that drops the copies of an attempt before. It needs the variable ``pgpatterns_view``."""
    return _DROPPED.substitute(closure=closure([new]), mark=literal(MARK))


def taken() -> str:
    """Return PL/pgSQL for `views.saved`: the copies take the places of the views that they copy."""
    return _TAKEN.substitute(mark=literal(MARK))


def without_copies(new: Column) -> str:
    """Return the statement that drops the copies for a new column."""
    return do_block(f"\nDECLARE\n  pgpatterns_view record;\nBEGIN{dropped(new)}\nEND ")
