from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Statements
from alembic_pgpatterns.schema.model import Column, Schema, Sequence, Table


class CyclingKey(SchemaPattern):
    """A key that takes its numbers from a sequence that starts again at its end.

    With CYCLE the sequence gives 1 again after the last number. Rows with these numbers are still there, so each INSERT
    fails with "duplicate key" until the gap that old rows left is reached. Without CYCLE the end is an error that says
    what is wrong.

    Not reported: sequences that feed no primary key and no unique rule.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    references = ("https://www.postgresql.org/docs/current/sql-createsequence.html",)
    bad = """
        CREATE TABLE ticket (id integer GENERATED ALWAYS AS IDENTITY (CYCLE) PRIMARY KEY);
    """
    good = """
        CREATE TABLE ticket (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Sequences with CYCLE behind keys."""
        for sequence in schema.sequences:
            for column in _keys(schema, sequence) if sequence.cycle else ():
                alter = f"ALTER SEQUENCE {sequence.name}"
                yield self.finding(
                    at=sequence,
                    message=f"{sequence.name} starts again at its end, and {column.identifier} must be unique",
                    remedy=Statements(up=(f"{alter} NO CYCLE",), down=(f"{alter} CYCLE",)),
                )
                # One finding for a sequence, however many keys it feeds.
                break


def _keys(schema: Schema, sequence: Sequence) -> Iterator[Column]:
    places = set(sequence.used_by) | ({sequence.owned_by} if sequence.internal and sequence.owned_by else set())
    for name, column_name in sorted(places):
        table = schema.table(name)
        column = table.column(column_name) if table is not None else None
        if table is not None and column is not None and _alone_unique(table, column.name):
            yield column


def _alone_unique(table: Table, name: str) -> bool:
    keys = [key.columns for key in (table.primary_key, *table.unique_constraints) if key is not None]
    # A partial index lets the same number in again.
    plain = [index.columns for index in table.indexes if index.unique and index.predicate is None]
    return any(columns == (name,) for columns in (*keys, *plain))
