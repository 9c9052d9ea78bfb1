from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import selects
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload

INSTEAD = (
    "Take a random key and the next row from it: .where(id >= random_id).order_by(id).limit(1); "
    "or a sample: tablesample(Model, func.system(1))."
)


class RandomOrder(StatementPattern):
    """ORDER BY random(), for which the whole table is read and sorted to return a few rows.

    ORDER BY random() gives each row of the table a number and sorts all of them, to return a few. The time grows with
    the table.
    """

    not_when = "The table stays small."
    references = ("https://www.postgresql.org/docs/current/sql-select.html#SQL-FROM",)
    bad = """
        def run(session):
            session.scalars(select(Book).order_by(func.random()).limit(1)).all()
    """
    good = """
        def run(session):
            session.scalars(select(Book).where(Book.id >= 3).order_by(Book.id).limit(1)).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries with ORDER BY random()."""
        for statement, usage in usages(workload):
            keys = [item.sort_by.node for select in selects(statement) for item in select.sort_clause]
            calls = [key.func_call.funcname[-1].string.sval for key in keys if key.WhichOneof("node") == "func_call"]
            if "random" in calls:
                message = f"all rows are sorted in random order to return a few: {shown(statement)}"
                yield sent(self, statement, usage, message, INSTEAD)
