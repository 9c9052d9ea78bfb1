from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.evidence.model import Use
from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._evidence import counted, queries_on, with_condition
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import columns

MOST = {"vector": 2_000, "halfvec": 4_000}
"""Dimensions that an index of pgvector takes at most (its README, "HNSW")."""
# hnsw and ivfflat are of pgvector, diskann is of pgvectorscale, vchordrq of VectorChord, vectors of pgvecto.rs.
METHODS = ("hnsw", "ivfflat", "diskann", "vchordrq", "vectors")


class UnindexedVector(SchemaPattern):
    """A column of vectors without an index for the nearest ones, or with more dimensions than an index takes.

    `ORDER BY embedding <-> $1 LIMIT 10` reads all rows and computes each distance, unless there is an HNSW or IVFFlat
    index with the operator class of that distance. The search is then approximate: it finds most of the nearest rows.

    An index takes 2,000 dimensions of `vector` and 4,000 of `halfvec`. Longer embeddings are indexed as half precision
    (`(embedding::halfvec(3072))`), by their signs (`binary_quantize`), or made shorter by the model that they are from.

    Not reported as more than a guess: columns in no such query. Not reported: a column with such an index, or with one
    on an expression of it.
    """

    severity = Severity.INFO
    action = Action.REPORT
    basis = Basis.QUERIES
    not_when = (
        "Leave it out below some ten thousand rows, or if each search is narrowed to a few rows by another column."
    )
    references = (
        "https://github.com/pgvector/pgvector#indexing",
        "https://github.com/pgvector/pgvector#half-precision-indexing",
    )
    example_version = 17  # where the tests have pgvector
    bad = """
        CREATE EXTENSION vector;
        CREATE TABLE chunk (id bigint PRIMARY KEY, embedding vector(384));
    """
    good = bad + "CREATE INDEX ON chunk USING hnsw (embedding vector_cosine_ops);"
    bad_models = """
from sqlalchemy import DDL, BigInteger, Column, MetaData, Table, event
from sqlalchemy.types import UserDefinedType

class Vector(UserDefinedType):
    cache_ok = True
    def get_col_spec(self, **kw):
        return "vector(384)"

metadata = MetaData()
event.listen(metadata, "before_create", DDL("CREATE EXTENSION IF NOT EXISTS vector"))
Table("chunk", metadata, Column("id", BigInteger, primary_key=True), Column("embedding", Vector))
"""
    good_models = (
        bad_models.replace("BigInteger, Column,", "BigInteger, Column, Index,")
        + """
chunk = metadata.tables["chunk"]
Index("ix_chunk", chunk.c.embedding, postgresql_using="hnsw", postgresql_ops={"embedding": "vector_cosine_ops"})
"""
    )

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of vectors that no index searches."""
        for table in schema.checked_tables():
            for column in table.columns:
                kind = column.type
                if (
                    kind.name in MOST
                    and not kind.array
                    and not any(_searches(index, column) for index in table.indexes)
                ):
                    shapes = with_condition(queries_on(schema, table), column.name, {Use.NEAREST})
                    yield self.finding(
                        at=column,
                        message=_message(column),
                        remedy=_advice(table, column),
                        evidence=counted("the nearest rows are searched", shapes),
                    )


def _dimensions(column: Column) -> int:
    return column.type.modifier[0] if column.type.modifier else 0


def _message(column: Column) -> str:
    dimensions, most = _dimensions(column), MOST[column.type.name]
    if dimensions > most:
        return f"{column.identifier} has {dimensions:,} dimensions, and an index of {column.type.name} takes {most:,}"
    return f"no index finds the nearest rows by {column.identifier}"


def _advice(table: Table, column: Column) -> Advice:
    name, dimensions = quote(column.name), _dimensions(column)
    how = "and take the operator class of the distance that you order by"
    if dimensions > MOST["halfvec"]:
        return Advice(
            f"Index its signs, (binary_quantize({name})::bit({dimensions})) bit_hamming_ops, and order the best few "
            "hundred by the whole vector; or let the model make shorter embeddings."
        )
    if dimensions > MOST[column.type.name]:
        return Advice(
            f"CREATE INDEX ON {table.name} USING hnsw (({name}::halfvec({dimensions})) halfvec_cosine_ops), and order "
            f"by {name}::halfvec({dimensions}) in the query; {how}. Or let the model make shorter embeddings."
        )
    kind = column.type.name
    return Advice(f"CREATE INDEX CONCURRENTLY ON {table.name} USING hnsw ({name} {kind}_cosine_ops), {how}.")


def _searches(index: Index, column: Column) -> bool:
    if index.method not in METHODS:
        return False
    return any(
        key.column == column.name
        or key.expression is UNKNOWN
        or (key.expression is not None and column.name in columns(key.expression))
        for key in index.keys
    )
