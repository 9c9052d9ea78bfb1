"""Which index serves a foreign key: PostgreSQL looks for children when a row of the parent is deleted."""

from __future__ import annotations

from collections import defaultdict

from alembic_pgpatterns.schema.model import UNKNOWN, Column, ForeignKey, Index, IndexKey, Name, Schema, Table
from alembic_pgpatterns.schema.sql.expressions import not_null_columns

EQUALITY_METHODS = frozenset({"btree", "hash", "gist", "spgist", "gin"})
"""Access methods that find single rows; BRIN reads ranges of blocks."""

OVERLAP_METHODS = frozenset({"gist", "spgist"})

DEFAULT_COLLATION = Name("pg_catalog", "default")


class Coverage:
    """The indexes of a schema's tables, and which foreign keys they serve."""

    def __init__(self, schema: Schema) -> None:
        self._partitions: dict[Name, list[Table]] = defaultdict(list)
        for table in schema.tables:
            if table.partition_of is not None:
                self._partitions[table.partition_of].append(table)

    def whole(self, table: Table, key: ForeignKey) -> bool:
        """Whether an index serves equality on all columns of the key, or a unique one on some, which finds one row."""
        unique = (index for index in table.indexes if index.unique and len(index.keys) < len(key.columns))
        found_alone = any(index.predicate is None and serves(index, table, key, len(index.keys)) for index in unique)
        return found_alone or self._covered(table, key, len(key.columns))

    def part(self, table: Table, key: ForeignKey) -> bool:
        """Whether an index serves equality on some columns of a composite key: slower, but far better than none."""
        return len(key.columns) > 1 and self._covered(table, key, 1)

    def alone(self, table: Table, key: ForeignKey) -> frozenset[str]:
        """The columns of a composite key with which an index begins."""
        leading = (index for index in table.indexes if len(key.columns) > 1 and serves(index, table, key, 1))
        return frozenset(name for index in leading for name in index.columns[:1] if name is not None)

    def _covered(self, table: Table, key: ForeignKey, length: int) -> bool:
        """A partitioned table is also served by an index on every partition; foreign tables can have none."""
        if any(serves(index, table, key, length) for index in table.indexes):
            return True
        partitions = [part for part in self._partitions[table.name] if part.kind != "foreign"]
        return bool(partitions) and all(self._covered(part, key, length) for part in partitions)


def serves(index: Index, table: Table, key: ForeignKey, length: int) -> bool:
    """Whether the index's first ``length`` keys are columns of the foreign key, under its own operators."""
    leading = index.keys[:length]
    columns = {item.column for item in leading}
    return (
        index.valid
        and index.ready
        and index.method in EQUALITY_METHODS
        and len(columns) == length
        and columns <= set(key.columns)
        and _method_knows(index, key, columns)
        and _predicate_allows(index, key)
        and all(_comparison_fits(item, table, key) for item in leading)
    )


def _method_knows(index: Index, key: ForeignKey, columns: set[str | None]) -> bool:
    """A temporal key's last column is compared by overlap, which families of one name know in GiST and SP-GiST only."""
    return not key.temporal or key.columns[-1] not in columns or index.method in OVERLAP_METHODS


def _predicate_allows(index: Index, key: ForeignKey) -> bool:
    """The trigger's comparison is never true of nulls, which is all that PostgreSQL can conclude from it."""
    if index.predicate is None:
        return True
    if index.predicate is UNKNOWN:
        return False
    required = not_null_columns(index.predicate)
    return bool(required) and required <= set(key.columns)


def _comparison_fits(item: IndexKey, table: Table, key: ForeignKey) -> bool:
    column = table.column(item.column or "")
    return _operator_fits(item, key) and (column is None or same_collation(item, column))


def _operator_fits(item: IndexKey, key: ForeignKey) -> bool:
    """The key's equality operator must be in the index's operator family, else the column is cast first."""
    if key.key_opfamilies is UNKNOWN or item.opfamily is UNKNOWN:
        return True
    return item.opfamily in key.key_opfamilies[key.columns.index(item.column or "")]


def same_collation(item: IndexKey, column: Column) -> bool:
    """Whether the index key is sorted as its column is, which is what a comparison of the column asks for."""
    if item.collation is UNKNOWN:
        return True
    return (item.collation or DEFAULT_COLLATION) == (column.type.collation or DEFAULT_COLLATION)
