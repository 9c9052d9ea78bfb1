from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.evidence.model import Use
from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._evidence import counted, not_found_otherwise, with_condition
from alembic_pgpatterns.patterns.indexes._shape import named, replaceable
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Schema, Table
from alembic_pgpatterns.schema.sql.values import columns

SEARCHED_BY = {"tsvector": frozenset({"gin", "gist", "rum"}), "jsonb": frozenset({"gin"})}
"""Access methods that search within a value, by type."""

SERVED = {
    "tsvector": "no search in it (@@) uses an index",
    "jsonb": "no search for what it contains (@>, @?, @@) uses an index",
}

_SEARCHES = frozenset({Use.CONTAINS, Use.KEY, Use.OVERLAP, Use.SEARCH})


class UnindexedDocument(SchemaPattern):
    """A tsvector or jsonb column without the index that searches inside it.

    A tsvector column exists to be searched with `@@`; without a GIN or GiST index each search reads the table. A jsonb
    column can be searched for what it contains: a GIN index with the operator class `jsonb_path_ops` serves `@>`, `@?`
    and `@@`. It does not serve `?`, `?|` and `?&` (does a key exist); these need the default class, `jsonb_ops`, whose
    index is larger. A comparison of one value (`data ->> 'name' = …`) needs a btree on that expression.

    Not reported: a column with a GIN index on an expression that takes out a part of it; virtual columns, which cannot
    be indexed; arrays of jsonb; a column with a plain btree, which is a finding of `btree-on-container`.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = "Leave it out if the column is only stored and read whole: a GIN index slows down every write."
    references = (
        "https://www.postgresql.org/docs/current/datatype-json.html#JSON-INDEXING",
        "https://www.postgresql.org/docs/current/textsearch-indexes.html",
    )
    bad = """
        CREATE TABLE article (id bigint PRIMARY KEY, search tsvector, labels jsonb);
    """
    good = """
        CREATE TABLE article (id bigint PRIMARY KEY, search tsvector, labels jsonb);
        CREATE INDEX ON article USING gin (search);
        CREATE INDEX ON article USING gin (labels jsonb_path_ops);
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

metadata = MetaData()
Table(
    "article",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("search", TSVECTOR),
    Column("labels", JSONB),
)
"""
    good_models = (
        bad_models.replace("import BigInteger, Column,", "import BigInteger, Column, Index,")
        + """
article = metadata.tables["article"]
Index("ix_search", article.c.search, postgresql_using="gin")
Index("ix_labels", article.c.labels, postgresql_using="gin", postgresql_ops={"labels": "jsonb_path_ops"})
"""
    )

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Documents no index looks into."""
        for table in schema.checked_tables():
            for column in table.columns:
                kind = column.type.name
                if kind in SEARCHED_BY and _indexable(column) and not _looked_after(table, column):
                    shapes = with_condition(not_found_otherwise(schema, table), column.name, _SEARCHES)
                    keys = with_condition(shapes, column.name, {Use.KEY})
                    yield self.finding(
                        at=column,
                        message=f"{column.identifier} is {kind}: {SERVED[kind]}",
                        remedy=_index(table, column, bool(keys)),
                        evidence=counted("it is searched", shapes),
                        # A tsvector is there for nothing but to be searched.
                        certain=kind == "tsvector",
                    )


def _indexable(column: Column) -> bool:
    # PostgreSQL 18 makes no index on a virtual column.
    return not column.type.array and (column.generated is None or column.generated.stored)


def _looked_after(table: Table, column: Column) -> bool:
    return any(_searches(index, column) or _is_wrong_kind(index, column) for index in table.indexes)


def _searches(index: Index, column: Column) -> bool:
    return index.method in SEARCHED_BY[column.type.name] and _alive(index) and _holds(index, column.name)


def _is_wrong_kind(index: Index, column: Column) -> bool:
    """A plain btree on it is to become what is missed here: one finding is enough (btree-on-container)."""
    return index.method == "btree" and replaceable(index) and column.name in index.columns


def _alive(index: Index) -> bool:
    return index.valid or index.building


def _holds(index: Index, column: str) -> bool:
    for key in index.keys:
        if key.column == column or key.expression is UNKNOWN:
            return True
        if key.expression is not None and column in columns(key.expression):
            return True
    return False


def _index(table: Table, column: Column, by_key: bool) -> CreateIndex:
    """The smaller operator class, unless the application asks whether a key exists, which only the default serves."""
    key = IndexedKey(column.name, opclass="jsonb_path_ops" if column.type.name == "jsonb" and not by_key else None)
    return named(CreateIndex(table.name, (key,), method="gin"), table)
