"""SQL for `recast`: what reads a column, in a form that can be tried on a temporary table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from string import Template
from typing import Any

from alembic_pgpatterns.autogenerate.rewrite.renamed_column import NotRenamedError
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal
from alembic_pgpatterns.schema.names import quote

PLACE = """
    SELECT format_type(a.atttypid, NULL) AS type, coalesce(to_regtype(:type)::oid = a.atttypid, false) AS same,
           EXISTS (SELECT FROM pg_type e WHERE e.oid IN (y.oid, y.typelem) AND e.typtype = 'e') AS is_enum
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type y ON y.oid = a.atttypid
    WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column AND NOT a.attisdropped
"""
_THE = """
    WITH the AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column)"""
# Triggers and rules of this table alone: those of another one could not be tried without a lock on it. Of a policy only
# the expression is tried, whatever table it is on.
OBJECTS = f"""{_THE}, user_of AS (
        SELECT DISTINCT d.classid, d.objid FROM the JOIN pg_depend d
          ON d.refclassid = 'pg_class'::regclass AND d.refobjid = the.attrelid AND d.refobjsubid = the.attnum)
    SELECT pg_describe_object('pg_policy'::regclass, p.oid, 0) AS label, 'policy' AS kind, e.expression AS definition,
           p.polrelid::regclass::text AS name
    FROM user_of u JOIN pg_policy p ON u.classid = 'pg_policy'::regclass AND p.oid = u.objid
    CROSS JOIN LATERAL (VALUES (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid)))
      AS e (expression) WHERE e.expression IS NOT NULL
    UNION ALL
    SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0), 'trigger', pg_get_triggerdef(t.oid), ''
    FROM user_of u JOIN pg_trigger t ON u.classid = 'pg_trigger'::regclass AND t.oid = u.objid
    JOIN the ON the.attrelid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT pg_describe_object('pg_rewrite'::regclass, r.oid, 0), 'rule', pg_get_ruledef(r.oid), ''
    FROM user_of u JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid
    JOIN the ON the.attrelid = r.ev_class WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'generated column ' || quote_ident(g.attname), CASE g.attgenerated WHEN 's' THEN 'stored' ELSE 'virtual' END,
           pg_get_expr(f.adbin, f.adrelid), format_type(g.atttypid, g.atttypmod)
    FROM user_of u JOIN pg_attrdef f ON u.classid = 'pg_attrdef'::regclass AND f.oid = u.objid
    JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum AND g.attgenerated <> ''
    WHERE NOT EXISTS (SELECT FROM the WHERE the.attrelid = g.attrelid AND the.attnum = g.attnum)
    UNION ALL
    SELECT 'the row filter of publication ' || quote_ident(p.pubname), 'filter', pg_get_expr(r.prqual, r.prrelid), ''
    FROM user_of u JOIN pg_publication_rel r ON u.classid = 'pg_publication_rel'::regclass AND r.oid = u.objid
    JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prqual IS NOT NULL
    ORDER BY 2, 1, 3
"""  # noqa: S608
# PostgreSQL 13 and 14 have no row filters.
OBJECTS_BEFORE_15 = OBJECTS.partition("    UNION ALL\n    SELECT 'the row filter")[0] + "ORDER BY 2, 1, 3"
VIEWS = """
    WITH RECURSIVE the AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column
    ), dependent (oid, depth) AS (
        SELECT r.ev_class, 1 FROM the JOIN pg_depend d ON d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid AND r.rulename = '_RETURN'
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        UNION
        SELECT r.ev_class, v.depth + 1 FROM dependent v JOIN pg_depend d ON d.refobjid = v.oid
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> v.oid AND r.rulename = '_RETURN'
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass)
    SELECT format('%I.%I', n.nspname, c.relname) AS name, n.nspname AS schema, c.relname,
           rtrim(pg_get_viewdef(c.oid), ';') AS query,
           pg_describe_object('pg_class'::regclass, c.oid, 0) AS label, min(depth) = 1 AS direct
    FROM dependent JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
    GROUP BY c.oid, n.nspname, c.relname ORDER BY max(depth), c.relname
"""
# In a row filter a cast has to be a function: PostgreSQL takes none that goes over the text form ("Row Filters").
NEW_TYPE = """
    SELECT a.atttypid >= 16384 AS user_defined,
           EXISTS (SELECT FROM pg_cast t WHERE t.castsource = a.atttypid AND t.casttarget = CAST(:old AS regtype)
                   AND t.castmethod IN ('f', 'b')) AS casts_by_function,
           y.typcategory = 'S' AND o.typcategory <> 'S' AS fails_for_some
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type y ON y.oid = a.atttypid
    JOIN pg_type o ON o.oid = CAST(:old AS regtype)
    WHERE c.relnamespace = pg_my_temp_schema() AND c.relname = :table AND a.attname = :column
"""
# Of what a stored column takes, a row filter does not take such a cast (check_simple_rowfilter_expr_walker in
# commands/publicationcmds.c, where all that is not listed is refused).
_FILTER = Template("""DO $$$$BEGIN
  IF EXISTS (SELECT FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
             WHERE f.adrelid = to_regclass($table) AND a.attname = $column
               AND f.adbin::text ~ '[{](COERCEVIAIO|ARRAYCOERCEEXPR|SUBSCRIPTINGREF) ') THEN
    RAISE EXCEPTION 'a row filter takes no cast that goes over the text form';
  END IF;
END$$$$""")
_STATEMENTS = frozenset(("trigger", "rule", "statistics"))
_TRIED = "pgpatterns_tried"


@dataclass(frozen=True, slots=True)
class Tried:
    """An object that reads the column."""

    label: str
    kind: str
    definition: str
    """A statement, or for policies, filters and generated columns an expression."""
    name: str = ""
    """Of a CHECK; of the table of a policy; of a generated column's type."""

    @property
    def can_be_cast(self) -> bool:
        """Whether its expression may have a cast. An index with one would serve no query of the new type."""
        return self.kind != "index"

    @property
    def recreated(self) -> bool:
        """Whether `kept_objects` creates it again."""
        return self.kind in ("policy", "trigger", "rule", "virtual", "stored", "filter")

    def wrapped(self, definition: str) -> str:
        """The definition as a statement that can be parsed."""
        if self.kind == "check":
            return f"ALTER TABLE {_TRIED} ADD {definition}"
        return definition if self.kind in _STATEMENTS else f"SELECT {definition}"

    def unwrapped(self, statement: str) -> str:
        """The definition in such a statement."""
        if self.kind == "check":
            return statement.removeprefix(f"ALTER TABLE {_TRIED} ADD ")
        return statement if self.kind in _STATEMENTS else f"({statement.removeprefix('SELECT ')})"

    def piece(self, definition: str) -> str:
        """What of the statement that creates it again has the definition."""
        if self.kind in ("trigger", "rule"):
            return definition
        if self.kind in ("virtual", "stored"):
            return f"GENERATED ALWAYS AS ({definition})"
        return f" ({definition})"

    def statements(self, table: str, definition: str) -> list[str]:
        """Statements that fail if PostgreSQL refuses the object.

        Args:
            table: the name of the temporary table.
            definition: its definition, or another one.
        """
        scratch, view = quote(table), f"CREATE VIEW pg_temp.{_TRIED} AS SELECT FROM"
        if self.kind == "check":
            return [f"ALTER TABLE {scratch} ADD {definition}"]
        if self.kind == "policy":
            return [f"{view} {self.name} WHERE {definition}"]
        if self.kind == "filter":
            # A stored column, like a row filter, takes functions that are IMMUTABLE alone.
            kind = "GENERATED ALWAYS AS"
            tried = f"ALTER TABLE {scratch} ADD {_TRIED} boolean {kind} ({definition}) STORED"
            return [tried, _FILTER.substitute(table=literal(f"pg_temp.{scratch}"), column=literal(_TRIED))]
        if self.kind in ("virtual", "stored"):
            column = self.label.removeprefix("generated column ")
            kind = f"{self.name} GENERATED ALWAYS AS ({definition}) {self.kind}"
            return [f"ALTER TABLE {scratch} DROP {column}", f"ALTER TABLE {scratch} ADD {column} {kind}"]
        return [definition]


def on_scratch(statement: str, names: Collection[tuple[str, str]]) -> str:
    """Return a statement that uses the temporary table and views in place of the real ones.

    Args:
        statement: what PostgreSQL prints.
        names: schema and name of the relations.

    Raises:
        NotRenamedError: the parser does not know the statement.
    """
    from alembic_pgpatterns.schema.sql.parser import pg, postgast

    tree = parsed(statement)
    for relation in list(postgast.find_nodes(tree, pg.RangeVar)):
        if any(relation.relname == name and relation.schemaname in ("", schema) for schema, name in names):
            relation.schemaname = "pg_temp"
    for item in list(postgast.find_nodes(tree, pg.CreateStatsStmt)):
        del item.defnames[:]
        item.defnames.add().string.sval = _TRIED
    return str(postgast.deparse(tree))


def cast_in(statement: str, column: str, kind: str) -> str:
    """Return a statement that reads a column as another type.

    A column of another table that has the same name gets the cast too; for it the cast changes nothing.

    Args:
        statement: what PostgreSQL prints.
        column: its name.
        kind: the type, as SQL.

    Raises:
        NotRenamedError: the parser does not know the statement, or it reads the row as a whole.
    """
    from alembic_pgpatterns.schema.sql.parser import pg, postgast

    tree = parsed(statement)
    target = parsed(f"SELECT x::{kind}").stmts[0].stmt.select_stmt.target_list[0].res_target.val.type_cast.type_name
    for node in _column_nodes(tree):
        last = node.column_ref.fields[-1]
        if last.WhichOneof("node") != "string":
            raise NotRenamedError
        if last.string.sval == column:
            reference: Any = pg.Node()
            reference.CopyFrom(node)
            node.Clear()
            node.type_cast.arg.CopyFrom(reference)
            node.type_cast.type_name.CopyFrom(target)
    return str(postgast.deparse(tree))


def _column_nodes(tree: Any) -> list[Any]:
    """The nodes of a parse tree that name a column. `find_nodes` has what is in a node, which no cast can replace."""
    result, messages = [], [tree]
    while messages:
        message = messages.pop()
        if message.DESCRIPTOR.name == "Node" and message.WhichOneof("node") == "column_ref":
            result.append(message)
            continue
        for descriptor, value in message.ListFields():
            if descriptor.message_type is not None:
                messages += [value] if hasattr(value, "ListFields") else list(value)
    return result


def parsed(statement: str) -> Any:
    """Return the parse tree of a statement.

    Raises:
        NotRenamedError: it is not understood.
    """
    from alembic_pgpatterns.schema.sql.parser import postgast

    try:
        return postgast.parse(statement)
    except postgast.PgQueryError as error:
        raise NotRenamedError from error
