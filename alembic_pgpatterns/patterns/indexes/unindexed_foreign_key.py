from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.pattern import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.schema.expressions import not_null_column
from alembic_pgpatterns.schema.model import UNKNOWN, ForeignKey, Index, Schema, Table

EQUALITY_METHODS = frozenset({"btree", "hash", "gist", "spgist", "gin"})
"""Access methods an equality look-up of the referential-integrity trigger can use; BRIN reads block ranges."""


class UnindexedForeignKey(SchemaPattern):
    """A foreign key whose columns no index leads with.

    PostgreSQL indexes the referenced side of a foreign key, never the referencing side.
    Every DELETE on the parent, and every UPDATE of its key, then reads the whole child
    table once a row, and so does every join along the key.

    An index covers the key when the key's columns come first in it, in any order, it is valid,
    and its operators are those of the constraint. Primary keys and unique constraints count.
    An index that is partial on nothing but `<key column> IS NOT NULL` counts too; BRIN does not.

    Not meant: keys that are NOT ENFORCED, and the copies of a partitioned table's key on its partitions.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
    not_when = "Leave it out where the parent's rows are never deleted, its key never changes, and nobody joins."
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
        "https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-PARMS-REFERENCES",
    )
    bad = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
    """
    good = bad + "CREATE INDEX ON book (author_id);"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Foreign keys of tables and partitioned tables without a covering index."""
        for table in schema.tables:
            for key in table.foreign_keys:
                if key.enforced and not key.inherited and not covered(table, key):
                    yield self.finding(
                        at=key,
                        message=f"no index of {table.name} leads with {', '.join(key.columns)}",
                        remedy=CreateIndex.on(table.name, *index_columns(table, key)),
                        severity=Severity.INFO if prefix_covered(table, key) else None,
                    )


def covered(table: Table, key: ForeignKey) -> bool:
    """Whether an index of the table serves equality on all columns of the key."""
    return any(serves(index, key, len(key.columns)) for index in table.indexes)


def prefix_covered(table: Table, key: ForeignKey) -> bool:
    """Whether an index serves a part of a composite key: slower than the whole, far better than none."""
    return len(key.columns) > 1 and any(serves(index, key, 1) for index in table.indexes)


def serves(index: Index, key: ForeignKey, length: int) -> bool:
    """Whether the index's first ``length`` keys are columns of the foreign key, under its own operators."""
    leading = index.keys[:length]
    columns = {item.column for item in leading}
    return (
        index.valid
        and index.ready
        and index.method in EQUALITY_METHODS
        and len(columns) == length
        and columns <= set(key.columns)
        and _predicate_allows(index, key)
        and all(_operators_match(index, key, position) for position in range(length))
    )


def _predicate_allows(index: Index, key: ForeignKey) -> bool:
    if index.predicate is None:
        return True
    return index.predicate is not UNKNOWN and not_null_column(index.predicate) in key.columns


def _operators_match(index: Index, key: ForeignKey, position: int) -> bool:
    """The key's equality operator must be in the index column's operator family, else the column is cast."""
    item = index.keys[position]
    if key.key_opfamilies is UNKNOWN or item.opfamily is UNKNOWN:
        return True
    return item.opfamily in key.key_opfamilies[key.columns.index(item.column or "")]


def index_columns(table: Table, key: ForeignKey) -> tuple[str, ...]:
    """The key's columns; for the second key of a link table both columns, so that one index serves both ways."""
    primary = table.primary_key
    if primary is None or len(primary.columns) != 2 or len(key.columns) != 1:
        return key.columns
    first, second = primary.columns
    linked = {column for foreign_key in table.foreign_keys for column in foreign_key.columns}
    return (second, first) if key.columns == (second,) and {first, second} <= linked else key.columns
