from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema


@dataclass(frozen=True, slots=True)
class OverlongIndexOptions:
    """How much is too much."""

    keys: int = 4
    """An index with more key columns than this is reported; columns after INCLUDE are not counted."""


class OverlongIndex(SchemaPattern):
    """An index with very many key columns, or a table with more indexes than columns.

    The first two or three key columns narrow a search down to few rows; each further one makes the index larger and
    helps little. Each index is written by every INSERT, and by every UPDATE of a column in it.

    Not reported for their number of columns: unique indexes and those behind constraints, whose columns are the rule.
    """

    severity = Severity.INFO
    action = Action.OFF
    not_when = "Keep it if EXPLAIN shows that the last columns are used."
    Options = OverlongIndexOptions
    references = ("https://www.postgresql.org/docs/current/indexes-multicolumn.html",)
    bad = """
        CREATE TABLE reading (a int, b int, c int, d int, e int, f int);
        CREATE INDEX reading_all ON reading (a, b, c, d, e);
    """
    good = """
        CREATE TABLE reading (a int, b int, c int, d int, e int, f int);
        CREATE INDEX reading_first ON reading (a, b) INCLUDE (c, d, e);
    """
    bad_models = """
from sqlalchemy import Column, Index, Integer, MetaData, Table

metadata = MetaData()
Table(
    "reading",
    metadata,
    *(Column(name, Integer, primary_key=name == "a") for name in "abcdef"),
    Index("reading_all", "a", "b", "c", "d", "e"),
)
"""
    good_models = bad_models.replace('"a", "b", "c", "d", "e")', '"a", "b")')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Indexes with too many keys, then the table with too many indexes."""
        for table in schema.checked_tables():
            for index in table.indexes:
                if len(index.keys) > self.options.keys and not index.unique and index.constraint is None:
                    yield self.finding(
                        at=index,
                        message=f"{index.name} has {len(index.keys)} keys",
                        remedy=Advice(
                            "Keep the columns that searches compare as keys, and move those that are only read to "
                            "INCLUDE (…)."
                        ),
                    )
            if len(table.indexes) > len(table.columns):
                yield self.finding(
                    at=table,
                    message=f"{table.name} has {len(table.indexes)} indexes and {len(table.columns)} columns",
                    remedy=Advice("Drop what `pgcheck --live` finds unused, duplicate or redundant."),
                )
