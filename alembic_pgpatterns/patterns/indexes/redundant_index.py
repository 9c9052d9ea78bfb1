from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._shape import (
    PRIMARY_KEY,
    Shape,
    base_shape,
    definition,
    indexed_tables,
    key_shapes,
    replaceable,
    usable,
)
from alembic_pgpatterns.remedies.model import Advice, DropIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table


class RedundantIndex(SchemaPattern):
    """An index that is usually not needed, because another index starts with the same columns.

    The wider index serves nearly every query that the narrow one serves, and each index slows down every write.

    Compared are access method, columns or expressions, operator classes, collations, order and predicate; columns after
    INCLUDE in the narrow one must be somewhere in the wider one. A unique index is never reported: it enforces a rule.

    Not reported: indexes that back a constraint, are the replica identity or are used by CLUSTER. An index with the
    same keys and the same INCLUDE is a `duplicate-index`.
    """

    severity = Severity.INFO
    action = Action.REPORT
    not_when = "Keep it if the wider index is many times its size and the narrow one is read very often."
    references = ("https://www.postgresql.org/docs/current/indexes-multicolumn.html",)
    bad = """
        CREATE TABLE parcel (id bigint PRIMARY KEY, customer_id bigint, sent_on date);
        CREATE INDEX parcel_customer ON parcel (customer_id);
        CREATE INDEX parcel_customer_sent ON parcel (customer_id, sent_on);
    """
    good = """
        CREATE TABLE parcel (id bigint PRIMARY KEY, customer_id bigint, sent_on date);
        CREATE INDEX parcel_customer_sent ON parcel (customer_id, sent_on);
        CREATE INDEX parcel_sent ON parcel (sent_on);
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, Date, Index, MetaData, Table

metadata = MetaData()
Table(
    "parcel",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("customer_id", BigInteger, index=True),
    Column("sent_on", Date),
    Index("parcel_customer_sent", "customer_id", "sent_on"),
)
"""
    good_models = bad_models.replace(", index=True", "")

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Every narrow index, with the first wider one of its table."""
        for table in indexed_tables(schema):
            for index, wider in _redundant(table):
                again = definition(index, table)
                yield self.finding(
                    at=index,
                    message=f"{index.name} is usually not needed beside {wider.name}, which starts with the same "
                    f"columns",
                    remedy=Advice(f"Drop {index.name}.") if again is None else DropIndex(index.name, table.name, again),
                    # Who writes index=True beside primary_key=True does so in every link table.
                    cause=PRIMARY_KEY if wider.constraint_kind == PRIMARY_KEY and len(index.keys) == 1 else "",
                )


def _redundant(table: Table) -> Iterator[tuple[Index, Index]]:
    if len(table.indexes) < 2:
        return
    beginnings = _by_beginning(table)
    for index in table.indexes:
        shapes = key_shapes(index)
        if shapes is None or not replaceable(index):
            continue
        wider = [other for other in beginnings[base_shape(index), shapes] if _contains(other, index)]
        if wider:
            yield index, min(wider, key=_rank)


def _by_beginning(table: Table) -> dict[Shape, list[Index]]:
    """Each index under every list of keys it begins with, its own whole one included."""
    by_keys: dict[Shape, list[Index]] = defaultdict(list)
    for index in table.indexes:
        base, shapes = base_shape(index), key_shapes(index)
        if usable(index) and base is not None and shapes is not None:
            for length in range(1, len(shapes) + 1):
                by_keys[base, shapes[:length]].append(index)
    return by_keys


def _rank(index: Index) -> tuple[bool, int, str]:
    """What stays for certain comes first, then what is smallest."""
    return (index.constraint is None, len(index.keys) + len(index.include), index.name.name)


def _contains(wider: Index, index: Index) -> bool:
    """Whether the one, which begins with the other's keys, is more than its copy and holds all of its columns."""
    more = len(wider.keys) > len(index.keys) or set(wider.include) > set(index.include)
    return more and set(index.include) <= {*wider.include, *wider.columns}
