from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import locking, selects
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload


class QueueWithoutSkipLocked(StatementPattern):
    """Workers that take jobs from a table wait for each other.

    FOR UPDATE with LIMIT locks the first row. A second worker finds the same row and waits until the first one
    commits. With SKIP LOCKED it takes the next row at once.
    """

    not_when = "The rows must be taken strictly one after the other."
    references = ("https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE",)
    bad = """
        def run(session):
            statement = select(Book).where(Book.status == "new").order_by(Book.id).limit(1).with_for_update()
            session.scalars(statement).all()
    """
    good = """
        def run(session):
            statement = select(Book).where(Book.status == "new").order_by(Book.id).limit(1)
            session.scalars(statement.with_for_update(skip_locked=True)).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries with LIMIT, ORDER BY and a lock that waits."""
        for statement, usage in usages(workload):
            for select in selects(statement):
                lock = locking(select)
                if lock is None or not select.HasField("limit_count") or not select.sort_clause:
                    continue
                if lock.wait_policy == pg.LockWaitBlock and lock.strength in (pg.LCS_FORUPDATE, pg.LCS_FORNOKEYUPDATE):
                    message = f"workers that take rows so wait for each other: {shown(statement)}"
                    yield sent(self, statement, usage, message, "Write .with_for_update(skip_locked=True).")
                    break
