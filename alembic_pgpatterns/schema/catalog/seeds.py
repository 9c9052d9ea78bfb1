"""Which tables revisions have filled, on a server where nothing else has written."""

from __future__ import annotations

from dataclasses import replace

from alembic_pgpatterns.schema.catalog.queries.relations import WITH_ROWS
from alembic_pgpatterns.schema.catalog.session import Connection, catalog_session
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import Name


def with_seeds(schema: Schema, connection: Connection) -> Schema:
    """The schema with ``seeded`` at the tables whose file is not empty.

    Args:
        schema: of the connection's database, to which only revisions have written.
        connection: takes ACCESS SHARE on every table for a moment, so never one to a database in use.
    """
    with catalog_session(connection) as session:
        seeded = {Name(name, table) for name, table in session.rows(WITH_ROWS)}
    tables = (replace(table, seeded=True) if table.name in seeded else table for table in schema.tables)
    return replace(schema, tables=tuple(tables))
