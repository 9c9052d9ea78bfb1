from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._roles import default_constant
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, IndexedKey, Remedy, ReplaceIndex
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import text_literal
from alembic_pgpatterns.schema.sql.values import columns

TRUE = frozenset({"true", "t", "yes", "on", "1"})


class IndexOnFlag(SchemaPattern):
    """An index whose only or first column has two values: reading the table is often just as fast.

    For the frequent value, half or nearly all of the table, reading the table is faster than using the index. If the
    other value is rare and searched for, a partial index serves it and contains nothing else: `CREATE INDEX ON parcel
    (id) WHERE is_lost`.

    A flag is a boolean, or an enum with two labels.

    Not reported: unique indexes; indexes whose predicate already uses the flag; flags that are not the first column.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    not_when = "Keep it if both values are searched for together with the columns that follow."
    references = ("https://www.postgresql.org/docs/current/indexes-partial.html#INDEXES-PARTIAL-EX2",)
    bad = """
        CREATE TABLE parcel (id bigint PRIMARY KEY, is_lost boolean NOT NULL DEFAULT false);
        CREATE INDEX parcel_is_lost ON parcel (is_lost);
    """
    good = """
        CREATE TABLE parcel (id bigint PRIMARY KEY, is_lost boolean NOT NULL DEFAULT false);
        CREATE INDEX parcel_is_lost ON parcel (id) WHERE is_lost;
    """
    bad_models = """
from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table, text

metadata = MetaData()
Table(
    "parcel",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("is_lost", Boolean, server_default=text("false"), nullable=False),
    Index("parcel_is_lost", "is_lost"),
)
"""
    good_models = bad_models.replace('"is_lost"),\n)', '"id", postgresql_where=text("is_lost")),\n)')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Plain btree and hash indexes whose first column is a flag."""
        for table in schema.judged_tables():
            for index in table.indexes:
                flag = _flag(table, index)
                if flag is not None and index.method in ("btree", "hash") and replaceable(index):
                    role = "only" if len(index.keys) == 1 else "leading"
                    yield self.finding(
                        at=index,
                        message=f"the {role} key of {index.name}, {quote(flag.name)}, has two values",
                        remedy=_remedy(table, index, flag),
                    )


def _flag(table: Table, index: Index) -> Column | None:
    column = table.column(index.keys[0].column or "")
    if column is None or column.type.array or index.predicate is UNKNOWN:
        return None
    two_valued = column.type.name == "bool" or (column.type.kind == "enum" and len(column.type.labels) == 2)
    about_it = index.predicate is not None and column.name in columns(index.predicate)
    return column if two_valued and not about_it else None


def _remedy(table: Table, index: Index, flag: Column) -> Remedy:
    """New rows have the default: the other value is the rare one. What leads further keys is for a person to say."""
    old, rare, key = definition(index, table), _rare(flag), table.primary_key
    if old is None or rare is None or key is None or len(index.keys) > 1:
        following = ", ".join(str(item) for item in index.keys[1:]) or "what the rows are sorted by"
        return Advice(
            f"Index ({following}) WHERE {quote(flag.name)} has the value that is searched for, and drop {index.name}."
        )
    where = f"({old.where}) AND {rare}" if old.where else rare
    carried = tuple(name for name in old.include if name not in key.columns)
    new = CreateIndex(table.name, tuple(map(IndexedKey, key.columns)), include=carried, where=where)
    return ReplaceIndex(index.name, old, beside(new, table, index.name.name, "partial"))


def _rare(flag: Column) -> str | None:
    usual = default_constant(flag)
    if usual is None:
        return None
    if flag.type.name == "bool":
        return f"NOT {quote(flag.name)}" if usual.lower() in TRUE else quote(flag.name)
    other = [label for label in flag.type.labels if label != usual]
    return f"{quote(flag.name)} = {text_literal(other[0])}" if len(other) == 1 else None
