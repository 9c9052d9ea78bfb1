"""How large tables and indexes are at a number of rows, in pages of 8 kB."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from alembic_pgpatterns.advisor.facts import ColumnFacts, Statistics
from alembic_pgpatterns.advisor.synthesise import width as usual_width
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.sqltext import column_references

PAGE = 8192
_USABLE = 8152
"""Bytes of a page without its header and, in an index, its special space."""
_TUPLE = 28
"""Header and line pointer of a row."""
_ENTRY = 12
"""Header and line pointer of an index entry."""
_POSTING = 6.3
"""Bytes per row where equal keys share one entry (docs, "Deduplication")."""
_FILL = 0.9
_TRIGRAMS = 2.6
"""Bytes of a trigram index per byte of text: each letter begins three of them, compressed (measured: 2.5 to 2.6)."""
_ELEMENTS = 0.15
"""Bytes of a GIN index per byte of an array or a document (measured: 0.1 to 0.2)."""


class Sizes:
    """Pages of the tables and indexes of a schema."""

    def __init__(self, schema: Schema, statistics: Statistics) -> None:
        self._statistics = statistics
        self._tables: Mapping[Name, Table] = {table.name: table for table in schema.tables}

    def rows(self, table: Name) -> float:
        """Rows of a table."""
        size = self._statistics.sizes.get(table)
        return size.rows if size is not None else 0.0

    def facts(self, table: Name, column: str) -> ColumnFacts:
        """Statistics of a column; default ones if none are known."""
        return self._statistics.columns.get((table, column), ColumnFacts(n_distinct=-0.1))

    def width(self, table: Name, column: str) -> int:
        """Average bytes of a column's values."""
        measured = self.facts(table, column).avg_width
        if measured is not None:
            return measured
        owner = self._tables.get(table)
        declared = owner.column(column) if owner is not None else None
        return usual_width(declared) if declared is not None else 16

    def distinct(self, table: Name, column: str) -> float:
        """Number of different values of a column."""
        n_distinct, rows = self.facts(table, column).n_distinct, max(self.rows(table), 1.0)
        return max(1.0, min(rows, -n_distinct * rows if n_distinct < 0 else n_distinct or rows / 10))

    def pages(self, table: Name) -> int:
        """Pages of a table: from an export, else computed from the average widths of the columns."""
        size = self._statistics.sizes.get(table)
        if size is None:
            return 0
        if size.pages is not None:
            return size.pages
        owner = self._tables.get(table)
        widths = sum(
            self.width(table, column.name) * (1 - self.facts(table, column.name).null_frac)
            for column in (owner.columns if owner is not None else ())
        )
        # Pages of a table have no special space, which in a btree takes 16 bytes.
        return math.ceil(size.rows * (_TUPLE + widths) / (_USABLE + 16))

    def index_pages(self, table: Name, method: str, columns: Sequence[str], rows: float, trigrams: bool = False) -> int:
        """Pages of an index with this many entries. ``trigrams``: it is an index of pg_trgm."""
        heap = self.pages(table)
        if method == "gin":
            return max(3, math.ceil(rows * self._gin_bytes(table, columns, trigrams) / (_USABLE * 0.8)))
        if method == "brin":
            # An entry for each 128 pages (pages_per_range), of which some 200 fit on a page.
            return 3 + heap // 25_600
        if method not in ("btree", "hash"):
            return max(2, math.ceil(rows * 40 / _USABLE))
        return max(2, math.ceil(self._btree_bytes(table, columns, rows) / (_FILL * _USABLE)))

    def _btree_bytes(self, table: Name, columns: Sequence[str], rows: float) -> float:
        keys = sum(self.width(table, column) for column in columns)
        # Entries begin at multiples of 8 bytes (MAXALIGN).
        entry = _ENTRY + math.ceil(keys / 8) * 8
        distinct = math.prod(self.distinct(table, column) for column in columns) if columns else rows
        alike = rows / max(1.0, min(distinct, rows))
        return rows * entry if alike < 2 else rows * min(entry, _POSTING + entry / min(alike, 200))

    def _gin_bytes(self, table: Name, columns: Sequence[str], trigrams: bool) -> float:
        """An entry per row for each element of an array, key of a document or three letters of a text, compressed."""
        widths = sum(self.width(table, column) for column in columns) or 40
        return max(3.0, widths * (_TRIGRAMS if trigrams else _ELEMENTS))

    def of_index(self, index: Index) -> tuple[int, float]:
        """Pages and entries of an existing index."""
        named = [column for column in (*index.columns, *index.include) if column is not None]
        rows = self.rows(index.table)
        trigrams = any(isinstance(key.opclass, Name) and key.opclass.name == "gin_trgm_ops" for key in index.keys)
        return self.index_pages(index.table, index.method, named, rows, trigrams), rows

    def of_candidate(self, index: CreateIndex, rows: float) -> int:
        """Pages of a future index with this many entries."""
        trigrams = any(key.opclass == "gin_trgm_ops" for key in index.keys)
        return self.index_pages(index.table, index.method, tuple(index_columns(index)), rows, trigrams)


def index_columns(index: CreateIndex) -> Iterable[str]:
    """The columns of an index, including those in expressions."""
    for key in index.keys:
        if key.column is not None:
            yield key.column
        else:
            yield from sorted(column_references(str(key.expression)) or ())
    yield from index.include
