from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alembic_pgpatterns.evidence.model import QueryShape
from alembic_pgpatterns.patterns import Action, Basis, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns.indexes._coverage import serves
from alembic_pgpatterns.patterns.indexes._evidence import counted, queries_on, with_condition
from alembic_pgpatterns.patterns.indexes._roles import reads
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable
from alembic_pgpatterns.patterns.indexes._soft_deletion import DeletionMark, SoftDeletionOptions, deletion_marks
from alembic_pgpatterns.remedies.model import ReplaceIndex
from alembic_pgpatterns.schema.model import Index, Schema, Table


class IndexOnSoftDeleted(SchemaPattern):
    """An index that contains deleted rows, although queries ask only for rows that are not deleted.

    If rows are only marked as deleted, most queries exclude the marked ones. An index with `WHERE deleted_at IS NULL`
    contains only live rows: it is smaller, and an update of a deleted row does not write it.

    Not reported: an index by whose first column a query asks without that condition; unique indexes (see
    `unique-across-soft-deleted`), indexes whose keys or predicate contain the deletion column, BRIN, and an index that
    serves a foreign key: the foreign key's check also looks up deleted rows and could not use a partial index.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    fold = Fold.ALL
    not_when = "Keep the full index if few rows are deleted, or if deleted rows are looked up by these columns too."
    Options = SoftDeletionOptions
    references = ("https://www.postgresql.org/docs/current/indexes-partial.html",)
    bad = """
        CREATE TABLE member (id bigint PRIMARY KEY, name text, deleted_at timestamptz);
        CREATE INDEX member_name ON member (name);
    """
    good = """
        CREATE TABLE member (id bigint PRIMARY KEY, name text, deleted_at timestamptz);
        CREATE INDEX member_name ON member (name) WHERE deleted_at IS NULL;
    """
    bad_models = """
from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text, text

metadata = MetaData()
Table(
    "member",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", Text),
    Column("deleted_at", DateTime(timezone=True)),
    Index("member_name", "name"),
)
"""
    good_models = bad_models.replace('"name"),\n)', '"name", postgresql_where=text("deleted_at IS NULL")),\n)')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Plain indexes that hold deleted rows."""
        for table in schema.checked_tables():
            marks = deletion_marks(table, self.options.columns)
            mark = _searched(marks, queries_on(schema, table)) if marks else None
            if mark is None:
                continue
            for index in table.indexes:
                about = any(reads(index, other.column) for other in marks)
                using = _using(index, queries_on(schema, table))
                living = with_condition(using, mark.column, mark.uses, mark.fits)
                # A query by these columns that asks for deleted rows too could not use the partial index.
                if replaceable(index) and index.method != "brin" and not about and len(living) == len(using):
                    # The trigger of a foreign key looks for deleted rows too.
                    remedy = None if serves_foreign_key(index, table) else _partial(index, table, mark.alive)
                    if remedy is not None:
                        message = f"{index.name} also contains the deleted rows of {table.name} ({mark.dead})"
                        yield self.finding(
                            at=index,
                            message=message,
                            remedy=remedy,
                            evidence=counted(f"{mark.alive} is asked for", living),
                        )


def _using(index: Index, shapes: Sequence[QueryShape]) -> list[QueryShape]:
    """The queries that search or sort by the first column of an index."""
    first = index.columns[0]
    if first is None:
        return []
    return [
        shape
        for shape in shapes
        if any(item.column == first and not item.alternative for item in shape.conditions)
        or any(key.column == first for key in shape.order[:1])
    ]


def _searched(marks: Sequence[DeletionMark], shapes: Sequence[QueryShape]) -> DeletionMark:
    """The mark that the queries ask for most; the first where they ask for none."""
    return max(marks, key=lambda mark: len(with_condition(shapes, mark.column, mark.uses, mark.fits)))


def serves_foreign_key(index: Index, table: Table) -> bool:
    """Whether the trigger of a foreign key looks up the table's rows by this index."""
    return any(serves(index, table, key, len(key.columns)) for key in table.foreign_keys)


def _partial(index: Index, table: Table, alive: str) -> ReplaceIndex | None:
    old = definition(index, table)
    if old is None:
        return None
    where = f"({old.where}) AND {alive}" if old.where else alive
    return ReplaceIndex(index.name, old, beside(replace(old, where=where), table, index.name.name, "partial"))
