from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._roles import STATUS_NAMES, is_status
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable, usable
from alembic_pgpatterns.remedies.model import ReplaceIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table

RANGED = frozenset({"timestamp", "timestamptz", "date", "numeric", "float4", "float8"})
"""Types of columns that are asked for between two values, hardly ever for one."""


@dataclass(frozen=True, slots=True)
class RangeBeforeEqualityOptions:
    """What is asked for by one value."""

    status: tuple[str, ...] = (*STATUS_NAMES, "kind", "type", "category")
    """Words in the names of columns that hold one of a few values."""


class RangeBeforeEquality(SchemaPattern):
    """A composite index that leads with a range, followed by what is asked for by one value.

    `WHERE created_at > … AND tenant_id = 7` on an index of (created_at, tenant_id) reads every entry of
    that time, of all tenants. On (tenant_id, created_at) it reads the tenant's only, and they come out
    sorted: equality first, then the range.

    Reported is a btree whose first key is a timestamp, a date or a numeric column, and whose second is a foreign key,
    an enum or a status column.

    What does not count: unique indexes; a first key that is a foreign key itself; a table that has an index
    in the right order as well.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    not_when = "Keep it where the range is also searched for alone, or rows of all values are read in its order."
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
        for table in schema.judged_tables():
            if not any(_is_candidate(index) for index in table.indexes):
                continue
            linked = {name for key in table.foreign_keys for name in key.columns}
            orders = {index.columns for index in table.indexes if usable(index)}
            for index in table.indexes:
                order = self._order(table, index, linked)
                if order is not None and tuple(index.columns[position] for position in order) not in orders:
                    yield from self._found(table, index, order)

    def _order(self, table: Table, index: Index, linked: set[str]) -> tuple[int, ...] | None:
        """The positions of the keys in their better order; None where there is nothing to better."""
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

    def _found(self, table: Table, index: Index, order: tuple[int, ...]) -> Iterator[Finding]:
        old = definition(index, table)
        if old is not None:
            keys = tuple(old.keys[position] for position in order)
            yield self.finding(
                at=index,
                message=f"{index.name} leads with a range, {index.keys[0]}, before {index.keys[1]}, which is one value",
                remedy=ReplaceIndex(
                    index.name, old, beside(replace(old, keys=keys), table, index.name.name, "ordered")
                ),
            )


def _is_candidate(index: Index) -> bool:
    return index.method == "btree" and len(index.keys) > 1 and replaceable(index)


def _is_range(table: Table, name: str | None, linked: set[str]) -> bool:
    column = table.column(name or "")
    return column is not None and column.type.name in RANGED and not column.type.array and column.name not in linked
