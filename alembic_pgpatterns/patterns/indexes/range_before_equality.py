from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._evidence import (
    JOINED,
    RANGES,
    counted,
    ordered_by,
    queries_on,
    with_condition,
)
from alembic_pgpatterns.patterns.indexes._roles import STATUS_NAMES, is_status
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable, usable
from alembic_pgpatterns.remedies.model import ReplaceIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table

RANGED = frozenset({"timestamp", "timestamptz", "date", "numeric", "float4", "float8"})
"""Types of columns that are searched by range, and rarely for a single value."""


@dataclass(frozen=True, slots=True)
class RangeBeforeEqualityOptions:
    """Which columns are searched by a single value."""

    status: tuple[str, ...] = (*STATUS_NAMES, "kind", "type", "category")
    """Words in the names of columns that hold one of a few values."""


class RangeBeforeEquality(SchemaPattern):
    """An index in the wrong order: a column that is searched by range before one that is searched by a single value.

    Put the column that is compared with `=` first. With an index on (created_at, tenant_id), the query `WHERE
    created_at > … AND tenant_id = 7` reads the entries of all tenants in that time. With (tenant_id, created_at) it
    reads only those of tenant 7 in that time.

    Reported: a btree whose first column is a timestamp, a date or a number with decimals, and whose second column is a
    foreign key, an enum or a status column.

    Not reported: unique indexes; a first column that is a foreign key itself; a table that also has an index in the
    right order.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = "Keep it if queries also search for the range alone, or read rows of all values in its order."
    Options = RangeBeforeEqualityOptions
    references = (
        "https://www.postgresql.org/docs/current/indexes-multicolumn.html",
        "https://use-the-index-luke.com/sql/where-clause/searching-for-ranges/greater-less-between-tuning-sql-access-filter-predicates",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, issued_on date, status text);
        CREATE INDEX invoice_issued_status ON invoice (issued_on, status);
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, issued_on date, status text);
        CREATE INDEX invoice_status_issued ON invoice (status, issued_on);
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, Date, Index, MetaData, Table, Text

metadata = MetaData()
Table(
    "invoice",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("issued_on", Date),
    Column("status", Text),
    Index("invoice_issued_status", "issued_on", "status"),
)
"""
    good_models = bad_models.replace('"issued_on", "status")', '"status", "issued_on")')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Composite btree indexes in the wrong order."""
        for table in schema.checked_tables():
            if not any(_is_candidate(index) for index in table.indexes):
                continue
            linked = {name for key in table.foreign_keys for name in key.columns}
            orders = {index.columns for index in table.indexes if usable(index)}
            for index in table.indexes:
                order = self._order(table, index, linked)
                if order is not None and tuple(index.columns[position] for position in order) not in orders:
                    yield from self._findings(schema, table, index, order)

    def _order(self, table: Table, index: Index, linked: set[str]) -> tuple[int, ...] | None:
        """The positions of the keys in a better order; None if the order is good."""
        if (
            not _is_candidate(index)
            or not _is_range(table, index.columns[0], linked)
            or not self._is_equality(table, index.columns[1], linked)
        ):
            return None
        positions = range(len(index.keys))
        first = [place for place in positions if self._is_equality(table, index.columns[place], linked)]
        return (*first, *(place for place in positions if place not in first))

    def _is_equality(self, table: Table, name: str | None, linked: set[str]) -> bool:
        column = table.column(name or "")
        if column is None or column.type.array or column.type.name in RANGED:
            return False
        return column.name in linked or column.type.kind == "enum" or is_status(column, self.options.status)

    def _findings(self, schema: Schema, table: Table, index: Index, order: tuple[int, ...]) -> Iterator[Finding]:
        old = definition(index, table)
        ranged, single = index.columns[0] or "", index.columns[1] or ""
        both = with_condition(queries_on(schema, table), single, JOINED)
        both = [shape for shape in both if with_condition([shape], ranged, RANGES) or ordered_by([shape], ranged)]
        if old is not None:
            keys = tuple(old.keys[position] for position in order)
            yield self.finding(
                at=index,
                message=f"{index.name} starts with {index.keys[0]}, which is searched by range, before "
                f"{index.keys[1]}, which is searched by one value",
                remedy=ReplaceIndex(
                    index.name, old, beside(replace(old, keys=keys), table, index.name.name, "ordered")
                ),
                evidence=counted("both are searched for together", both),
            )


def _is_candidate(index: Index) -> bool:
    return index.method == "btree" and len(index.keys) > 1 and replaceable(index)


def _is_range(table: Table, name: str | None, linked: set[str]) -> bool:
    column = table.column(name or "")
    return column is not None and column.type.name in RANGED and not column.type.array and column.name not in linked
