from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import SQLALCHEMY_SELECT, sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import outer, relations
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload

LEAST = 3


class RepeatedStatement(StatementPattern):
    """The same query with the same values, several times in one transaction.

    Nothing was written in between, so the answer is the same. Keep the first one, in a variable or on the object.

    Three times from one line within one call of the application count. What does not count: queries that lock rows,
    and queries that read no table (a sequence, a setting, the time).
    """

    severity = Severity.INFO
    references = (SQLALCHEMY_SELECT,)
    bad = """
        def run(session):
            for _ in range(4):
                session.scalar(select(func.count()).select_from(Book))
    """
    good = """
        def run(session):
            count = session.scalar(select(func.count()).select_from(Book))
            return [count] * 4
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries with two or more repetitions."""
        for statement, usage in usages(workload):
            times = usage.series.repeated + 1
            # What the ORM sends by itself is no line of the application's to change.
            if statement.kind != "select" or usage.reason is not None or times < LEAST:
                continue
            select = outer(statement)
            if select is not None and not select.locking_clause and relations(select):
                message = f"the same query with the same values is sent {times} times in one call: {shown(statement)}"
                yield sent(self, statement, usage, message, "Send it once and keep the answer.")
