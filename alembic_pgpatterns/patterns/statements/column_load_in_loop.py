from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import SQLALCHEMY_EXPIRE, at_usage, usages
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload

LEAST = 5
INSTEAD = (
    "After a commit: read what is needed before it, or make the session with expire_on_commit=False. "
    "Deferred columns: .options(undefer(...)) in the first query. refresh() in a loop: one query with "
    "execution_options(populate_existing=True)."
)


class ColumnLoadInLoop(StatementPattern):
    """Objects whose columns are loaded one object at a time, with one query each (N+1 queries).

    After a commit the session forgets what it knows of its objects (expire_on_commit), and the next access to each
    object sends a query. Deferred columns are loaded in the same way, and so is each refresh().

    Five or more objects of one class within one call of the application and one transaction count.
    """

    references = (SQLALCHEMY_EXPIRE,)
    bad = """
        def run(session):
            books = session.scalars(select(Book)).all()
            session.commit()
            return [book.status for book in books]
    """
    good = """
        def run(session):
            books = session.scalars(select(Book)).all()
            statuses = [book.status for book in books]
            session.commit()
            return statuses
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Column loads of five or more objects."""
        for _, usage in usages(workload):
            count = usage.series.distinct_in_transaction
            if usage.reason == "column load" and count >= LEAST:
                attribute = usage.attribute or "an object"
                message = f"columns of {attribute} are loaded one object at a time: {count} queries in one call"
                yield at_usage(self, attribute, usage, message, INSTEAD)
