"""SQL that finds the views on some columns, the views on these, and what a re-created view needs."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from string import Template

from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified

Column = tuple[str | None, str, str]
"""Schema, table and column."""

# Only the rule _RETURN makes a view read something: other rules are objects of their own. ``depth`` is the length of
# the longest way down to the table: a view of depth 2 reads one of depth 1.
CLOSURE = Template("""WITH RECURSIVE dependent (oid, depth) AS (
    SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.rulename = '_RETURN'
      AND ($columns)
    UNION
    SELECT r.ev_class, v.depth + 1 FROM dependent v JOIN pg_depend d ON d.refobjid = v.oid
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> v.oid AND r.rulename = '_RETURN'
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
  )""")
# A materialised view has to be filled before the swap, so a copy of it stands beside it. A copy cannot read the view
# that the old one reads, since that one reads the old column: so these have copies too.
COPIED = """, edge (reader, source) AS (
    SELECT DISTINCT r.ev_class, d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.rulename = '_RETURN'
      AND r.ev_class <> d.refobjid AND d.refobjid IN (SELECT oid FROM dependent)
  ), copied (oid) AS (
    SELECT c.oid FROM dependent JOIN pg_class c USING (oid) WHERE c.relkind = 'm'
    UNION SELECT e.source FROM copied p JOIN edge e ON e.reader = p.oid
  )"""


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def literal_line(text: str) -> str:
    """Return a text as an SQL literal of one line: other lines would be indented with the revision's."""
    if "\n" not in text:
        return literal(text)
    return "E" + literal(text.replace("\\", "\\\\")).replace("\n", "\\n")


def checksum(query: str) -> str:
    """Return what md5() says of a view's query in the database."""
    return md5(query.encode(), usedforsecurity=False).hexdigest()


def closure(columns: Iterable[Column]) -> str:
    """Return the beginning of a query: ``dependent (oid, depth)``, the views on columns and the views on these."""
    return CLOSURE.substitute(columns=are_among(columns, "d.refobjid", "a.attname"))


def are_among(columns: Iterable[Column], relation: str, name: str) -> str:
    """Return a condition: a relation and a column's name are among some columns.

    Args:
        columns: the columns.
        relation: SQL of the table's oid.
        name: SQL of the column's name.
    """
    tables: dict[str, list[str]] = {}
    for schema, table, column in columns:
        tables.setdefault(literal(qualified(schema, table)), []).append(literal(column))
    conditions = [f"{relation} = {table}::regclass AND {name} IN ({', '.join(n)})" for table, n in tables.items()]
    return "\n        OR ".join(conditions)
