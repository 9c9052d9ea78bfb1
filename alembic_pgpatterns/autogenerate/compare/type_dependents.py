"""What holds a type to its old form: it goes before a new type takes the old one's place, and comes after."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from alembic_pgpatterns.autogenerate.compare.type_catalog import NamedType


@dataclass(frozen=True, slots=True)
class Dependent:
    """A constraint or an index that compares values of the type, or an object that reads a column of it."""

    schema: str
    table: str
    name: str
    drop: str | None
    """None: only a person can drop it and create it again, such as a view."""
    create: str | None
    column: str | None = None
    """What it reads, if it goes and comes back by what the catalog says when the revision runs (`kept_objects`): a
    policy, a trigger, a rule or a publication. Or the generated column that it is."""

    @property
    def comes_back(self) -> bool:
        """Whether `kept_objects` drops it and creates it again."""
        return self.drop is None and self.column is not None

    @property
    def key(self) -> tuple[str, str, str]:
        """Schema, table and name."""
        return (self.schema, self.table, self.name)


# A generated column goes last and comes back first, since constraints and indexes may be on it. Its values are
# computed again.
_DEPENDENTS = """
    WITH columns AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray)
        JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = :schema AND t.typname = :name AND NOT a.attisdropped AND t.typarray <> 0
    ), generated AS (
        SELECT DISTINCT g.attrelid, g.attnum, g.attname, g.atttypid, g.atttypmod, g.attgenerated, g.attnotnull,
               pg_get_expr(f.adbin, f.adrelid) AS expression
        FROM columns u JOIN pg_depend d ON d.refobjid = u.attrelid AND d.refobjsubid = u.attnum
        JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid AND f.adnum <> u.attnum
        JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum AND g.attgenerated <> ''
        WHERE d.refclassid = 'pg_class'::regclass AND g.attinhcount = 0
    ), touched AS (SELECT * FROM columns UNION SELECT attrelid, attnum FROM generated)
    SELECT n.nspname AS schema, c.relname AS "table", k.conname AS name,
           CASE k.contype WHEN 'f' THEN 1 ELSE 2 END AS rank,
           format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname) AS drop,
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,
                  pg_get_constraintdef(k.oid)) AS create, NULL::text AS "column"
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (k.contype IN ('c', 'x', 'f') OR k.contype = 'u' AND EXISTS (
               SELECT FROM generated g WHERE g.attrelid = k.conrelid AND g.attnum = ANY (k.conkey)))
      AND k.conparentid = 0 AND k.conislocal
      AND EXISTS (SELECT FROM touched u WHERE u.attrelid = k.conrelid AND u.attnum = ANY (k.conkey)
                  OR u.attrelid = k.confrelid AND u.attnum = ANY (k.confkey))
    UNION ALL
    SELECT n.nspname, c.relname, x.relname, 2, format('DROP INDEX %s', i.indexrelid::regclass),
           pg_get_indexdef(i.indexrelid), NULL
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL OR EXISTS (
               SELECT FROM generated g WHERE g.attrelid = i.indrelid AND g.attnum = ANY (i.indkey::int2[])))
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.oid)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('x', 'u'))
      AND EXISTS (SELECT FROM touched u JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = x.oid
                  AND d.refobjid = u.attrelid AND d.refobjsubid = u.attnum)
    UNION ALL
    SELECT DISTINCT n.nspname, c.relname,
           replace(pg_describe_object(d.classid, d.objid, d.objsubid), 'rule _RETURN on ', ''), 3, NULL, NULL,
           CASE WHEN r.rulename = '_RETURN' THEN NULL ELSE a.attname END
    FROM touched u JOIN pg_class c ON c.oid = u.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = u.attrelid AND a.attnum = u.attnum
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.attrelid AND d.refobjsubid = u.attnum
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    WHERE c.relkind IN ('r', 'p') AND (d.classid IN ('pg_policy'::regclass, 'pg_publication_rel'::regclass)
          OR r.oid IS NOT NULL OR t.tgparentid = 0 AND NOT t.tgisinternal)
    UNION ALL
    SELECT DISTINCT n.nspname, '', pg_describe_object(d.classid, d.objid, 0), 3, NULL, NULL, NULL
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n'
    WHERE n.nspname = :schema AND t.typname = :name AND d.classid = 'pg_proc'::regclass
    UNION ALL
    SELECT n.nspname, c.relname, g.attname, 4, format('ALTER TABLE %s DROP COLUMN %I', c.oid::regclass, g.attname),
           format('ALTER TABLE %s ADD COLUMN %I %s GENERATED ALWAYS AS (%s) %s%s', c.oid::regclass, g.attname,
                  format_type(g.atttypid, g.atttypmod), g.expression,
                  CASE g.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END,
                  CASE WHEN g.attnotnull THEN ' NOT NULL' ELSE '' END)
           || coalesce('; COMMENT ON COLUMN ' || format('%s.%I IS ', c.oid::regclass, g.attname) ||
                       quote_literal(col_description(c.oid, g.attnum)), ''), g.attname
    FROM generated g JOIN pg_class c ON c.oid = g.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 4, 1, 2, 3
"""


def read_dependents(connection: Connection, item: NamedType) -> list[Dependent]:
    """Read what depends on the columns of an enum, foreign keys first. Takes no lock.

    Args:
        connection: to the database.
        item: the enum.
    """
    rows = connection.execute(text(_DEPENDENTS), {"schema": item.schema, "name": item.name})
    return [Dependent(row.schema, row.table, row.name, row.drop, row.create, row.column) for row in rows]
