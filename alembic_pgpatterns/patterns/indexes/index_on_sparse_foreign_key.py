from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._links import linking_columns
from alembic_pgpatterns.patterns.indexes._roles import never_null
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable
from alembic_pgpatterns.remedies.model import ReplaceIndex
from alembic_pgpatterns.schema.model import Column, Index, Schema, Table
from alembic_pgpatterns.schema.names import quote


@dataclass(frozen=True, slots=True)
class IndexOnSparseForeignKeyOptions:
    """When a key is sparse."""

    null_share: float = 0.5
    """With statistics of a live database: report only if more than this share of the rows is null."""


class IndexOnSparseForeignKey(SchemaPattern):
    """An index on a nullable foreign key that also contains all rows in which the key is null.

    Neither the foreign key's check nor a join ever looks for null. If most rows have no parent, an index `WHERE key IS
    NOT NULL` is much smaller and serves both just as well: PostgreSQL knows that `key = $1` is never true for null.

    Not reported: unique indexes; foreign keys of a table to itself, whose nulls (the roots of a tree) are searched for;
    the two keys of a link table; indexes with more columns than the key; with statistics of a live database, keys that
    are null in half of the rows or fewer (option `null_share`).
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = "Keep the full index if most rows have the key, or if `key IS NULL` is searched for."
    Options = IndexOnSparseForeignKeyOptions
    references = ("https://www.postgresql.org/docs/current/indexes-partial.html",)
    bad = """
        CREATE TABLE coupon (id bigint PRIMARY KEY);
        CREATE TABLE purchase (id bigint PRIMARY KEY, coupon_id bigint REFERENCES coupon);
        CREATE INDEX purchase_coupon ON purchase (coupon_id);
    """
    good = """
        CREATE TABLE coupon (id bigint PRIMARY KEY);
        CREATE TABLE purchase (id bigint PRIMARY KEY, coupon_id bigint REFERENCES coupon);
        CREATE INDEX purchase_coupon ON purchase (coupon_id) WHERE coupon_id IS NOT NULL;
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, text

metadata = MetaData()
Table("coupon", metadata, Column("id", BigInteger, primary_key=True))
Table(
    "purchase",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("coupon_id", BigInteger, ForeignKey("coupon.id")),
    Index("purchase_coupon", "coupon_id"),
)
"""
    good_models = bad_models.replace(
        '"coupon_id"),\n)', '"coupon_id", postgresql_where=text("coupon_id IS NOT NULL")),\n)'
    )

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Indexes on exactly the columns of a nullable foreign key."""
        for table in schema.checked_tables():
            ends = linking_columns(table)
            # A table that refers to itself is a tree, whose roots are found by IS NULL.
            keys = {frozenset(key.columns) for key in table.foreign_keys if key.referred_table != table.name}
            for index in table.indexes:
                if frozenset(index.columns) in keys and ends.isdisjoint(index.columns) and _full(index):
                    yield from self._findings(table, index)

    def _findings(self, table: Table, index: Index) -> Iterator[Finding]:
        named = (table.column(name or "") for name in index.columns)
        sparse = [column for column in named if column is not None and self._sparse(table, column)]
        old = definition(index, table)
        if sparse and old is not None:
            measured = all(column.statistics is not None for column in sparse)
            where = " AND ".join(f"{quote(column.name)} IS NOT NULL" for column in sparse)
            yield self.finding(
                at=index,
                message=f"{index.name} also holds the rows where {_either(sparse)} is null",
                remedy=ReplaceIndex(
                    index.name, old, beside(replace(old, where=where), table, index.name.name, "partial")
                ),
                certain=measured,
            )

    def _sparse(self, table: Table, column: Column) -> bool:
        if never_null(table, column):
            return False
        return column.statistics is None or column.statistics.null_frac > self.options.null_share


def _full(index: Index) -> bool:
    return index.predicate is None and index.method in ("btree", "hash") and replaceable(index)


def _either(sparse: list[Column]) -> str:
    return " or ".join(quote(column.name) for column in sparse)
