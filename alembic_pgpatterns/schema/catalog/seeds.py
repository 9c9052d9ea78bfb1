"""What revisions have put into tables, on a server where nothing else has written."""

from __future__ import annotations

from dataclasses import replace

from alembic_pgpatterns.schema.catalog.queries.relations import WITH_ROWS
from alembic_pgpatterns.schema.catalog.session import Connection, Session, catalog_session
from alembic_pgpatterns.schema.model import Schema, Table
from alembic_pgpatterns.schema.names import Name, quote


def with_seeds(schema: Schema, connection: Connection) -> Schema:
    """The schema with ``seeded`` at the tables whose file is not empty, and ``seeded_null`` at their booleans.

    Args:
        schema: of the connection's database, to which only revisions have written.
        connection: takes ACCESS SHARE on every table for a moment, so never one to a database in use.
    """
    with catalog_session(connection) as session:
        seeded = {Name(name, table) for name, table in session.rows(WITH_ROWS)}
        tables = tuple(_seeded(table, session) if table.name in seeded else table for table in schema.tables)
    return replace(schema, tables=tables)


def _seeded(table: Table, session: Session) -> Table:
    flags = [column.name for column in table.columns if column.nullable and column.type.name == "bool"]
    empty: set[str] = set()
    if flags:
        counts = ", ".join(f"count(*) FILTER (WHERE {quote(name)} IS NULL) > 0" for name in flags)
        ((*answers,),) = session.rows(f"SELECT {counts} FROM ONLY {table.name}")  # noqa: S608 - quoted names
        empty = {name for name, answer in zip(flags, answers, strict=True) if answer}
    columns = (replace(column, seeded_null=column.name in empty) for column in table.columns)
    return replace(table, seeded=True, columns=tuple(columns))
