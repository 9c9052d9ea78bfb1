# defect: public.chunk.embedding -- the plain case
# defect: public.chunk.half -- half precision
# defect: public.chunk.long -- too long for an index of vector
# defect: public.chunk.longest -- too long for any
# trap: public.good.embedding -- HNSW
# trap: public.good.lists -- IVFFlat
# trap: public.good.long -- an index on an expression of it
# trap: public.good.sparse -- another type
# trap: public.good.many -- an array of vectors
from sqlalchemy import ARRAY, BigInteger, Column, Index, MetaData, Table, text
from sqlalchemy.types import UserDefinedType


class Vector(UserDefinedType):
    cache_ok = True

    def __init__(self, spelled):
        self.spelled = spelled

    def get_col_spec(self, **kw):
        return self.spelled


metadata = MetaData()
Table(
    "chunk",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("embedding", Vector("vector(384)")),
    Column("half", Vector("halfvec(3072)")),
    Column("long", Vector("vector(3072)")),
    Column("longest", Vector("halfvec(8000)")),
)
good = Table(
    "good",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("embedding", Vector("vector(384)")),
    Column("lists", Vector("vector(384)")),
    Column("long", Vector("vector(3072)")),
    Column("sparse", Vector("sparsevec(384)")),
    Column("many", ARRAY(Vector("vector(3)"))),
)
Index("a", good.c.embedding, postgresql_using="hnsw", postgresql_ops={"embedding": "vector_cosine_ops"})
Index("b", good.c.lists, postgresql_using="ivfflat")
Index("c", text("(long::halfvec(3072)) halfvec_cosine_ops"), postgresql_using="hnsw", _table=good)
