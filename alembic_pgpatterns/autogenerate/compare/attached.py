"""What models do not declare of a table, and what goes with it: row security, policies, triggers, rules."""

from __future__ import annotations

from sqlalchemy import Connection, text

# Grants are left out: their roles differ from one database to another, and a downgrade must run on all of them.
_ATTACHED = """
    WITH the AS (SELECT c.oid, c.relrowsecurity, c.relforcerowsecurity, format('%I.%I', n.nspname, c.relname) AS name
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:relation))
    SELECT 1, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name) FROM the WHERE relrowsecurity
    UNION ALL SELECT 2, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name) FROM the WHERE relforcerowsecurity
    UNION ALL
    SELECT 3, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, t.name,
                     CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                     CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                         WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                     (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY i)
                      FROM unnest(p.polroles) WITH ORDINALITY AS u (r, i)))
           || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
           || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
    FROM the t JOIN pg_policy p ON p.polrelid = t.oid
    UNION ALL
    SELECT 4, pg_get_triggerdef(g.oid) FROM the t JOIN pg_trigger g ON g.tgrelid = t.oid
    WHERE NOT g.tgisinternal AND (to_jsonb(g) ->> 'tgparentid') IS NOT DISTINCT FROM '0'
    UNION ALL
    SELECT 5, format('ALTER TABLE %s %s TRIGGER %I', t.name,
                     CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
                     g.tgname)
    FROM the t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal AND g.tgenabled <> 'O'
    UNION ALL SELECT 6, pg_get_ruledef(r.oid) FROM the t JOIN pg_rewrite r ON r.ev_class = t.oid
    ORDER BY 1, 2
"""


# pg_describe_object() is in the server's own words: "policy own on table book".
_GOING = """
    WITH the AS (SELECT * FROM pg_class WHERE oid = to_regclass(:relation))
    SELECT 1, 'row security' FROM the WHERE relrowsecurity
    UNION ALL SELECT 2, pg_describe_object('pg_policy'::regclass, p.oid, 0)
    FROM the JOIN pg_policy p ON polrelid = the.oid
    UNION ALL SELECT 3, pg_describe_object('pg_trigger'::regclass, g.oid, 0)
    FROM the JOIN pg_trigger g ON tgrelid = the.oid WHERE NOT g.tgisinternal
    UNION ALL SELECT 4, pg_describe_object('pg_rewrite'::regclass, r.oid, 0)
    FROM the JOIN pg_rewrite r ON ev_class = the.oid
    UNION ALL SELECT 5, 'grants, which a downgrade does not give back' FROM the
    WHERE relacl IS NOT NULL OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = the.oid AND attacl IS NOT NULL)
    ORDER BY 1, 2
"""


def read_going(connection: Connection, relation: str) -> tuple[str, ...]:
    """What goes with a table that is dropped, in words: row security, policies, triggers, rules, grants.

    Args:
        connection: to the database. Takes no lock on the table.
        relation: the quoted name, with its schema.
    """
    return tuple(str(words) for _, words in connection.execute(text(_GOING), {"relation": relation}))


def read_attached(connection: Connection, relation: str) -> tuple[str, ...]:
    """The statements that restore what is on a table. Takes no lock on it.

    Args:
        connection: to the database.
        relation: the quoted name, with its schema.
    """
    rows = connection.execute(text(_ATTACHED), {"relation": relation})
    return tuple(str(statement).rstrip(";") for _, statement in rows)
