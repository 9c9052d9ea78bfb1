from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns._growth import rows_of
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import outer, table_of
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload

INSTEAD = "Read it in pages after the last key, or as a stream: execution_options(yield_per=1000)."


@dataclass(frozen=True, slots=True)
class Options:
    """Options of unbounded-read."""

    rows: int = 100_000
    """Rows from which a table is too large to be read at once."""


class UnboundedRead(StatementPattern):
    """A query that reads all rows of a large table into the application.

    A query without a condition, a LIMIT or an aggregate returns every row. That is fine on a test's ten rows, and
    fills the memory of the application with production's ten million.

    It is reported where the size of the table is known: declared in the model (`info={"pgpatterns": {"rows":
    10_000_000}}`) or given with --stats.
    """

    Options = Options
    references = (
        "https://docs.sqlalchemy.org/en/20/orm/queryguide/api.html#fetching-large-result-sets-with-yield-per",
    )
    runs = False
    bad = """
        def run(session):
            session.scalars(select(Book)).all()
    """
    good = """
        def run(session):
            session.scalars(select(Book).order_by(Book.id).limit(100)).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries without WHERE, LIMIT and aggregates of one table that is known to be large."""
        for statement, usage in usages(workload):
            select = outer(statement)
            # What the ORM sends by itself is no line of the application's to change.
            if select is None or usage.reason is not None or not _everything(select):
                continue
            table = table_of(statement, None, schema)
            rows = rows_of(table) if table is not None else None
            if rows is not None and rows >= self.options.rows:
                message = f"all {rows:,.0f} rows of {table.name if table else ''} are read at once: {shown(statement)}"
                yield sent(self, statement, usage, message, INSTEAD)


def _everything(select: pg.SelectStmt) -> bool:
    limited = select.HasField("where_clause") or select.HasField("limit_count") or bool(select.group_clause)
    joined = len(select.from_clause) != 1 or select.from_clause[0].WhichOneof("node") != "range_var"
    return not limited and not joined and not _one_row(select) and not select.distinct_clause


def _one_row(select: pg.SelectStmt) -> bool:
    """Whether all is counted or added up: aggregates stand beside no plain column where nothing is grouped."""
    values = [item.res_target.val for item in select.target_list]
    plain = any(value.WhichOneof("node") == "column_ref" for value in values)
    calls = [value.func_call for value in values if value.WhichOneof("node") == "func_call"]
    return not plain and any(not call.HasField("over") for call in calls)
