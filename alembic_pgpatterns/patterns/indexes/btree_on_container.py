from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._words import names_any
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable
from alembic_pgpatterns.remedies.model import Advice, Remedy, ReplaceIndex
from alembic_pgpatterns.schema.model import UNKNOWN, DataType, Index, IndexKey, Schema, Table


@dataclass(frozen=True, slots=True)
class BtreeOnContainerOptions:
    """What is left alone."""

    ordered: tuple[str, ...] = ("path", "lineage", "breadcrumb", "sort_key", "version")
    """Words in the names of array columns that are sorted or searched by their beginning: a btree is right there."""


class BtreeOnContainer(SchemaPattern):
    """A btree index on a jsonb, array, tsvector or range column, where a btree cannot serve the usual searches.

    A btree compares whole values, so it serves only `=` and sorting. Containment (`@>`), overlap (`&&`), existence of a
    key (`?`) and text search (`@@`) still read the whole table, and an INSERT fails if a value is longer than a third
    of a page (2704 bytes). Use GIN for jsonb, arrays and tsvector, and GiST for ranges. `jsonb_path_ops` is the smaller
    and faster operator class for `@>`, `@?` and `@@`; the default, `jsonb_ops`, also serves `?`, `?|` and `?&`.

    Not reported: unique indexes and those behind constraints, which need equality; expressions that take one value out
    (`data ->> 'name'`); columns after INCLUDE; arrays whose name says that they are sorted (option `ordered`).
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    not_when = "Keep the btree if whole values are compared or sorted."
    Options = BtreeOnContainerOptions
    references = (
        "https://www.postgresql.org/docs/current/datatype-json.html#JSON-INDEXING",
        "https://www.postgresql.org/docs/current/indexes-types.html",
        "https://www.postgresql.org/docs/current/rangetypes.html#RANGETYPES-INDEXING",
    )
    bad = """
        CREATE TABLE product (id bigint PRIMARY KEY, attributes jsonb);
        CREATE INDEX product_attributes ON product (attributes);
    """
    good = """
        CREATE TABLE product (id bigint PRIMARY KEY, attributes jsonb);
        CREATE INDEX product_attributes ON product USING gin (attributes jsonb_path_ops);
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
Table(
    "product",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("attributes", JSONB),
    Index("product_attributes", "attributes"),
)
"""
    good_models = bad_models.replace(
        '"attributes"),\n)',
        '"attributes", postgresql_using="gin", postgresql_ops={"attributes": "jsonb_path_ops"}),\n)',
    )

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Plain btree indexes with a container among their keys."""
        for table in schema.checked_tables():
            for index in table.indexes:
                if index.method == "btree" and replaceable(index):
                    yield from self._findings(table, index)

    def _findings(self, table: Table, index: Index) -> Iterator[Finding]:
        for key in index.keys:
            method = self._method(table, key)
            if method is not None:
                yield self.finding(
                    at=index,
                    message=f"{index.name} is a btree on {key}, {_noun(_type(table, key))}: it serves equality only",
                    remedy=_remedy(table, index, method),
                )
                return

    def _method(self, table: Table, key: IndexKey) -> str | None:
        kind = _type(table, key)
        if kind.array and names_any(key.column or "", self.options.ordered):
            return None
        if kind.array or kind.name in ("jsonb", "tsvector"):
            return "gin"
        return "gist" if kind.kind in ("range", "multirange") else None


def _type(table: Table, key: IndexKey) -> DataType:
    column = table.column(key.column) if key.column is not None else None
    if column is not None:
        return column.type
    return DataType("", kind="unknown") if key.type is UNKNOWN else key.type


def _noun(kind: DataType) -> str:
    if kind.array:
        return "an array"
    return "a range" if kind.kind in ("range", "multirange") else kind.name


def _remedy(table: Table, index: Index, method: str) -> Remedy:
    again = definition(index, table)
    advice = (
        f"Index the {'range by GiST' if method == 'gist' else 'container by GIN'}, and the other columns by a btree."
    )
    if again is None or len(index.keys) > 1 or index.include:
        return Advice(advice)
    document = _type(table, index.keys[0]).name == "jsonb" and not _type(table, index.keys[0]).array
    # Smaller and faster than jsonb_ops, for all but the question whether a key exists (docs, "jsonb Indexing").
    opclass = "jsonb_path_ops" if document else None
    # GIN and GiST have no order, and storage parameters of their own.
    key = replace(again.keys[0], opclass=opclass, collation=None, descending=False, nulls_first=None)
    new = replace(again, keys=(key,), method=method, options=())
    return ReplaceIndex(index.name, again, beside(new, table, index.name.name, method))
