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
    """An index that contains deleted rows, although queries ask only for rows that are not deleted.

    If rows are only marked as deleted, most queries exclude the marked ones. An index with `WHERE deleted_at IS NULL`
    contains only live rows: it is smaller, and an update of a deleted row does not write it.

    Not reported: unique indexes (see `unique-across-soft-deleted`), indexes whose keys or predicate contain the
    deletion column, BRIN, and an index that serves a foreign key: the foreign key's check also looks up deleted rows
    and could not use a partial index.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    not_when = "Keep the full index if few rows are deleted, or if deleted rows are looked up by these columns too."
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
