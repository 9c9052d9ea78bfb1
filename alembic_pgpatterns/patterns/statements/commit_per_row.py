from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import POPULATE, sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import has, tree
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload

LEAST = 5
INSTEAD = "Commit once after the loop, or after every thousand rows; `with session.begin():` around the loop does it."


class CommitPerRow(StatementPattern):
    """A commit after each row that is written.

    Each commit waits for the disk. A thousand rows with a commit each wait a thousand times, and if the program stops
    in the middle a part of the rows is there.

    Five or more writes of one row each from one line, each in a transaction of its own, within one call of the
    application count. What does not count: portions of many rows with a commit each, and workers that take their next
    job with SKIP LOCKED.
    """

    references = (POPULATE,)
    bad = """
        def run(session):
            for n in range(6):
                session.add(Author(name=f"new {n}"))
                session.commit()
    """
    good = """
        def run(session):
            session.add_all([Author(name=f"new {n}") for n in range(6)])
            session.commit()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Writes with a commit between each two of them."""
        for statement, usage in usages(workload):
            series = usage.series
            if statement.kind not in ("insert", "update", "delete") or series.batches or series.rows > 1:
                continue
            many = series.calls >= LEAST and series.commits >= series.calls - 1
            if many and not has(tree(statement.text), pg.LockingClause):
                message = f"{series.calls} rows are written with a commit after each: {shown(statement)}"
                yield sent(self, statement, usage, message, INSTEAD)
