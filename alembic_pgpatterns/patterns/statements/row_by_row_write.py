from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import POPULATE, SQLALCHEMY_DML, sent, shown, usages
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Series, Workload

LEAST = 5
PORTION = 50
"""Rows or values of one statement from which on it is a portion of many."""
INSTEAD = {
    "insert": "Send all rows at once: session.execute(insert(Model), [{...}, ...]), or session.add_all(objects) and "
    "one flush. Above a thousand rows: COPY.",
    "update": "Change all rows at once: session.execute(update(Model), [{primary key and new values}, ...]), or one "
    "update(Model).where(...) where the new value is the same.",
    "delete": "Delete all rows at once: delete(Model).where(Model.id.in_(ids)).",
}


class RowByRowWrite(StatementPattern):
    """Rows that are written one statement at a time.

    Each statement costs a round trip. One statement for many rows is 10 to 100 times faster; above some thousand rows
    COPY is faster still.

    Five or more statements from one line within one transaction count. What does not count: the statements of one
    flush (the ORM groups those itself), lists of rows (executemany), and writes that each commit, which is another
    pattern.
    """

    references = (
        SQLALCHEMY_DML,
        POPULATE,
    )
    bad = """
        def run(session):
            for n in range(6):
                session.add(Author(name=f"new {n}"))
                session.flush()
    """
    good = """
        def run(session):
            session.add_all([Author(name=f"new {n}") for n in range(6)])
            session.flush()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Writes of one row each, five or more in one transaction."""
        for statement, usage in usages(workload):
            series = usage.series
            by_flush = series.flushes
            if statement.kind not in INSTEAD or series.batches or series.in_transaction < LEAST:
                continue
            in_portions = statement.kind == "delete" and series.parameters >= PORTION
            if 0 < by_flush < LEAST or in_portions:
                continue
            if series.rows <= 1:
                message = f"{series.in_transaction} rows are written one statement at a time: {shown(statement)}"
                yield sent(self, statement, usage, message, INSTEAD[statement.kind])
            elif statement.kind == "delete" and _by_value(series):
                message = f"rows are deleted for one value at a time, by {series.in_transaction} statements: "
                yield sent(self, statement, usage, message + shown(statement), INSTEAD["delete"])


def _by_value(series: Series) -> bool:
    """Whether each statement has few rows and another value: those of many rows go in portions on purpose."""
    return series.distinct_in_transaction >= LEAST and series.rows < PORTION
