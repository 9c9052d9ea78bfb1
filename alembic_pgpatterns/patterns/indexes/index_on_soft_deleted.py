from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._coverage import serves
from alembic_pgpatterns.patterns.indexes._roles import reads
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable
from alembic_pgpatterns.patterns.indexes._soft_deletion import SoftDeletionOptions, soft_delete_column
from alembic_pgpatterns.remedies.model import ReplaceIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table
from alembic_pgpatterns.schema.names import quote


class IndexOnSoftDeleted(SchemaPattern):
    """An index that carries the deleted rows of a table with soft deletion.

    Where rows are marked as deleted and stay, nearly every query asks for the living ones. An index with
    `WHERE deleted_at IS NULL` holds just these: it is smaller, and an update of a dead row does not touch it.

    What does not count: unique indexes (see `unique-across-soft-deleted`), indexes that have to do with the
    deletion column, BRIN, and an index that serves a foreign key: its look-up asks for dead rows too, and could not
    use a partial one.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    not_when = "Keep the full index where deleted rows are few, or are looked up by these columns as well."
    Options = SoftDeletionOptions
    references = ("https://www.postgresql.org/docs/current/indexes-partial.html",)
    bad = """
        CREATE TABLE member (id bigint PRIMARY KEY, name text, deleted_at timestamptz);
        CREATE INDEX member_name ON member (name);
    """
    good = """
        CREATE TABLE member (id bigint PRIMARY KEY, name text, deleted_at timestamptz);
        CREATE INDEX member_name ON member (name) WHERE deleted_at IS NULL;
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text, text

metadata = MetaData()
Table(
    "member",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", Text),
    Column("deleted_at", DateTime(timezone=True)),
    Index("member_name", "name"),
)
"""
    good_models = bad_models.replace('"name"),\n)', '"name", postgresql_where=text("deleted_at IS NULL")),\n)')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Plain indexes that hold deleted rows."""
        for table in schema.judged_tables():
            column = soft_delete_column(table, self.options.columns)
            if column is None:
                continue
            for index in table.indexes:
                if replaceable(index) and index.method != "brin" and not reads(index, column.name):
                    remedy = None if serves_foreign_key(index, table) else _partial(index, table, column.name)
                    if remedy is not None:
                        message = f"{index.name} also holds the rows of {table.name} whose {quote(column.name)} is set"
                        yield self.finding(at=index, message=message, remedy=remedy)


def serves_foreign_key(index: Index, table: Table) -> bool:
    """Whether the trigger of a foreign key looks up the table's rows by this index."""
    return any(serves(index, table, key, len(key.columns)) for key in table.foreign_keys)


def _partial(index: Index, table: Table, column: str) -> ReplaceIndex | None:
    old = definition(index, table)
    if old is None:
        return None
    alive = f"{quote(column)} IS NULL"
    where = f"({old.where}) AND {alive}" if old.where else alive
    return ReplaceIndex(index.name, old, beside(replace(old, where=where), table, index.name.name, "partial"))
