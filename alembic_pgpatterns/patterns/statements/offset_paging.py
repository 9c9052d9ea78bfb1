from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import column_of, known_values, outer
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload


class OffsetPaging(StatementPattern):
    """Pages of a result that are found by OFFSET, for which all earlier rows are read each time.

    PostgreSQL reads all rows before the page and throws them away: page 1,000 costs a thousand times page 1. When a
    row is added between two requests, the next page shows a row twice.

    Continue after the last row instead (keyset): compare the columns of ORDER BY with their values in that row. Each
    page then costs the same, with an index on those columns.
    """

    severity = Severity.INFO
    not_when = "People jump to a page by its number, and there are few pages."
    references = ("https://www.postgresql.org/docs/current/queries-limit.html",)
    bad = """
        def run(session):
            session.scalars(select(Book).order_by(Book.id).limit(2).offset(4)).all()
    """
    good = """
        def run(session):
            session.scalars(select(Book).where(Book.id > 4).order_by(Book.id).limit(2)).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries with OFFSET that is more than 0 in some call, or not known."""
        for statement, usage in usages(workload):
            select = outer(statement)
            # What the ORM sends by itself is no line of the application's to change.
            if select is None or not select.HasField("limit_offset") or usage.reason is not None:
                continue
            values = known_values(statement, select.limit_offset)
            if not values or any(value not in (0, "0", None) for value in values):
                message = f"a page is found by OFFSET, which reads all rows before it: {shown(statement)}"
                yield sent(self, statement, usage, message, _instead(select))


def _instead(select: pg.SelectStmt) -> str:
    sorted_by = [column_of(item.sort_by.node) for item in select.sort_clause]
    columns = [column[1] for column in sorted_by if column is not None]
    if not columns or len(columns) != len(sorted_by):
        return "Order by columns that no two rows share, and continue after the last row: where(key > last_key)."
    if "id" not in columns:
        columns.append("id")
    names, last = ", ".join(columns), ", ".join(f"last.{column}" for column in columns)
    down = [item.sort_by.sortby_dir == pg.SORTBY_DESC for item in select.sort_clause]
    if any(down) and not all(down):
        return f"Order by {names} in one direction, and continue after the last row by comparing tuple_({names})."
    sign = "<" if down and all(down) else ">"
    if len(columns) == 1:
        return f"Continue after the last row: .where({names} {sign} {last}).order_by({names}).limit(n)"
    return f"Continue after the last row: .where(tuple_({names}) {sign} tuple_({last})), with {names} in order_by."
