"""The statements that drop the views on some columns, and create them again with all that they had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import Template

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.recast import Recast, changed_since
from alembic_pgpatterns.autogenerate.rewrite.view_sql import Column, checksum, closure, literal, literal_line
from alembic_pgpatterns.schema.names import do_block

_SAVED = Template("""
DECLARE
  pgpatterns_view record;
BEGIN
  CREATE TEMP TABLE pgpatterns_views ON COMMIT DROP AS
  $closure, view AS (
    SELECT c.*, v.depth, format('%I.%I', n.nspname, c.relname) AS name,
           CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind,
           coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') AS options,
           rtrim(pg_get_viewdef(c.oid), ';') AS query
    FROM (SELECT oid, max(depth) AS depth FROM dependent GROUP BY oid) v
    JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
  ), part (oid, number, statement) AS (
    SELECT oid, 1, format('CREATE %s %s%s AS %s', kind, name, options, query)
           || CASE WHEN relkind = 'v' THEN '' WHEN relispopulated THEN ' WITH DATA' ELSE ' WITH NO DATA' END
    FROM view
    UNION ALL
    SELECT v.oid, 2, format('REVOKE ALL ON %s FROM %s', v.name, coalesce(g.oid::regrole::text, 'PUBLIC'))
    FROM view v JOIN pg_roles m ON m.rolname = current_user JOIN pg_default_acl p ON p.defaclrole = m.oid
      AND p.defaclobjtype = 'r' AND p.defaclnamespace IN (0, v.relnamespace), aclexplode(p.defaclacl) e
    LEFT JOIN pg_roles g ON g.oid = e.grantee WHERE e.grantee <> m.oid
    UNION ALL
    SELECT oid, 3, format('ALTER TABLE %s OWNER TO %s', name, relowner::regrole) FROM view
    WHERE pg_get_userbyid(relowner) <> current_user
    UNION ALL
    SELECT v.oid, 4, format('GRANT %s ON %s TO %s', e.privilege_type, v.name, coalesce(g.oid::regrole::text, 'PUBLIC'))
           || CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    FROM view v, aclexplode(v.relacl) e LEFT JOIN pg_roles g ON g.oid = e.grantee
    UNION ALL
    SELECT v.oid, 5, format('GRANT %s (%I) ON %s TO %s', e.privilege_type, a.attname, v.name,
                            coalesce(g.oid::regrole::text, 'PUBLIC'))
           || CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    FROM view v JOIN pg_attribute a ON a.attrelid = v.oid, aclexplode(a.attacl) e
    LEFT JOIN pg_roles g ON g.oid = e.grantee
    UNION ALL
    SELECT v.oid, 6, format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.name, a.attname,
                            pg_get_expr(f.adbin, f.adrelid))
    FROM view v JOIN pg_attrdef f ON f.adrelid = v.oid JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum = f.adnum
    UNION ALL
    SELECT v.oid, 7, pg_get_indexdef(i.indexrelid) FROM view v JOIN pg_index i ON i.indrelid = v.oid
    UNION ALL
    SELECT v.oid, 8, pg_get_ruledef(r.oid) FROM view v JOIN pg_rewrite r ON r.ev_class = v.oid
    WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT v.oid, 9, pg_get_triggerdef(t.oid) FROM view v JOIN pg_trigger t ON t.tgrelid = v.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT v.oid, 9, pg_get_statisticsobjdef(s.oid) FROM view v JOIN pg_statistic_ext s ON s.stxrelid = v.oid
    UNION ALL
    SELECT v.oid, 10, CASE WHEN d.objsubid = 0 THEN format('COMMENT ON %s %s IS %L', v.kind, v.name, d.description)
           ELSE format('COMMENT ON COLUMN %s.%I IS %L', v.name, a.attname, d.description) END
    FROM view v JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = v.oid
    LEFT JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum = d.objsubid AND d.objsubid > 0
    UNION ALL
    SELECT v.oid, 10, format('COMMENT ON INDEX %s IS %L', i.indexrelid::regclass, d.description)
    FROM view v JOIN pg_index i ON i.indrelid = v.oid
    JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = i.indexrelid)
  SELECT view.oid, view.depth, view.name, view.kind, view.query, part.number, part.statement
  FROM view JOIN part USING (oid);$recast$copies
  FOR pgpatterns_view IN SELECT * FROM pgpatterns_views WHERE number = 1 ORDER BY depth DESC LOOP
    EXECUTE format('DROP %s %s', pgpatterns_view.kind, pgpatterns_view.name);
  END LOOP;
END """)
_RECAST = Template("""
  UPDATE pgpatterns_views SET statement = replace(statement, query, $new)
  WHERE number = 1 AND name = $name AND md5(query) = $old;
  IF NOT FOUND THEN
    RAISE EXCEPTION '%', $message USING HINT = 'Write the revision again, on a database that has it.';
  END IF;""")
_RESTORED = """
DECLARE
  pgpatterns_statement text;
BEGIN
  FOR pgpatterns_statement IN SELECT statement FROM pgpatterns_views ORDER BY depth, name, number LOOP
    EXECUTE pgpatterns_statement;
  END LOOP;
  DROP TABLE pgpatterns_views;
END """


class RetypeUnderViewsOp(ops.MigrateOperation):
    """New types of a table's columns, with the views on them out of the way."""

    def __init__(self, alters: Sequence[ops.AlterColumnOp], views: Iterable[str]) -> None:
        self.alters = tuple(alters)
        self.views = tuple(dict.fromkeys(views))
        self.schema, self.table_name = alters[0].schema, alters[0].table_name

    @property
    def columns(self) -> list[Column]:
        """The columns that get another type."""
        return [(op.schema, op.table_name, str(op.column_name)) for op in self.alters]

    def reverse(self) -> RetypeUnderViewsOp:
        """The old types."""
        return RetypeUnderViewsOp([op.reverse() for op in reversed(self.alters)], self.views)


def saved(columns: Iterable[Column], copies: str = "", recast: Iterable[Recast] = ()) -> str:
    """The PL/pgSQL block that keeps the definitions of all views on some columns and drops them.

    Locks: ACCESS EXCLUSIVE on the views until the transaction ends.

    Args:
        columns: of tables.
        copies: statements that replace the definition of a view by a copy that is there already.
        recast: the views that come back with a cast.
    """
    casts = "".join(
        _RECAST.substitute(
            name=literal(name),
            old=literal(checksum(old)),
            new=literal_line(new),
            message=literal(f"pgpatterns: {changed_since(name)}"),
        )
        for each in recast
        for name, old, new in each.views
    )
    return _SAVED.substitute(closure=closure(columns), copies=copies, recast=casts)


def restored() -> str:
    """The PL/pgSQL block that creates them again, with owner, grants, comments, indexes, triggers and rules."""
    return _RESTORED


def around(columns: Iterable[Column], recast: Iterable[Recast] = ()) -> tuple[str, str]:
    """The statements before and after the change of some columns' types."""
    return do_block(saved(columns, recast=recast)), do_block(restored())
