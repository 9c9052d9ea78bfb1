"""The views that have to go before a column gets another type, and can be created again after it."""

from __future__ import annotations

from sqlalchemy import Connection, text

_VIEWS = """
    WITH RECURSIVE the AS (
        SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column
    ), dependent (oid) AS (
        SELECT r.ev_class FROM the JOIN pg_depend d ON d.refobjid = the.attrelid AND d.refobjsubid = the.attnum
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid AND r.rulename = '_RETURN'
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        UNION
        SELECT r.ev_class FROM dependent v JOIN pg_depend d ON d.refobjid = v.oid
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> v.oid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    )
    SELECT pg_describe_object('pg_class'::regclass, v.oid, 0), c.relkind NOT IN ('v', 'm')
        OR EXISTS (SELECT FROM pg_depend d
                   LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                   WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid AND d.deptype = 'n'
                     AND coalesce(r.ev_class NOT IN (SELECT oid FROM dependent), true))
        OR EXISTS (SELECT FROM pg_depend d JOIN pg_type t ON t.oid = d.refobjid
                   WHERE d.refclassid = 'pg_type'::regclass AND d.deptype = 'n'
                     AND (t.typrelid = v.oid OR t.oid = (SELECT typarray FROM pg_type WHERE typrelid = v.oid)))
        OR EXISTS (SELECT FROM pg_depend d
                   WHERE d.classid = 'pg_class'::regclass AND d.objid = v.oid AND d.deptype = 'e')
    FROM dependent v JOIN pg_class c USING (oid) ORDER BY 1
"""


def droppable_views(connection: Connection, table: tuple[str, str], column: str) -> tuple[str, ...]:
    """The views on a column and the views on these, if nothing else depends on any of them. Takes no lock."""
    values = {"schema": table[0], "table": table[1], "column": column}
    rows = [(str(name), bool(held)) for name, held in connection.execute(text(_VIEWS), values)]
    return () if any(held for _, held in rows) else tuple(name for name, _ in rows)
