"""The tables in which Alembic stores the current revisions."""

from __future__ import annotations

from psycopg import sql

from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server


def versions(server: Server, database: str, table: Name) -> tuple[str, ...]:
    """The identifiers in a version table; empty if there is no such table."""
    place = version_table(server, database, table)
    if place is None:
        return ()
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(place.schema, place.name))
    with server.connect(database) as connection:
        return tuple(row[0] for row in connection.execute(query))


_PLACES = """
    SELECT n.nspname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND (%s = '' OR n.nspname = %s)
    ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC, n.nspname
"""


def version_table(server: Server, database: str, table: Name) -> Name | None:
    """A version table with its schema: without one, env.py's search_path decided where it is. None: there is none."""
    with server.connect(database) as connection:
        row = connection.execute(_PLACES, (table.name, table.schema, table.schema)).fetchone()
    return Name(row[0], table.name) if row is not None else None


VERSION_TABLES = """
    SELECT n.nspname, c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relname LIKE '%alembic%version%'
      AND (SELECT array_agg(a.attname::text) FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = ARRAY['version_num']
"""


def version_tables(server: Server, database: str) -> tuple[Name, ...]:
    """The tables in which Alembic stores the current revisions, recognised by their columns."""
    with server.connect(database) as connection:
        rows = connection.execute(VERSION_TABLES).fetchall()
    return tuple(Name(schema, name) for schema, name in rows if versions(server, database, Name(schema, name)))
