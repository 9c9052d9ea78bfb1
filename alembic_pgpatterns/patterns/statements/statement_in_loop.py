from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import SQLALCHEMY_SELECT, sent, shown, usages
from alembic_pgpatterns.patterns.statements._source import is_in_loop
from alembic_pgpatterns.patterns.statements._trees import all_of, column_of, compared, outer, parameter, relations, tree
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Recorded, Usage, Workload

LEAST = 5
# Where the source shows the loop. Tests have few objects.
LEAST_IN_LOOP = 2
# Parameters of one statement: so many are a piece of a long list that is sent in pieces already.
LIST = 50


class StatementInLoop(StatementPattern):
    """A query that the application sends again and again in a loop, with other values each time (N+1 queries).

    Each query costs a round trip to the database. One query with a list of values reads the same rows.

    Five different sets of values from one line, within one call of the application and one transaction, count; two, if
    the line stands in a `for` over some data in the source, and each query asks for one value. What does not count:
    queries for lists of 50 or more values (they go in portions on purpose), pages of a longer result, and queries that
    lock rows. Loops in a test itself are no fault of the application.
    """

    references = (SQLALCHEMY_SELECT,)
    bad = """
        def run(session):
            for author_id in range(1, 8):
                session.scalars(select(Book).where(Book.author_id == author_id)).all()
    """
    good = """
        def run(session):
            books = session.scalars(select(Book).where(Book.author_id.in_(range(1, 8))))
            return [book.id for book in books]
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries of the application with several sets of values."""
        for statement, usage in usages(workload, tests=True):
            count = usage.series.distinct_in_transaction
            # What the ORM sends by itself stands in no loop of the application; other patterns find it.
            if statement.kind != "select" or usage.reason is not None or count < _least(statement, usage):
                continue
            if usage.series.parameters < LIST and not _pages(statement) and _reads_rows(statement):
                message = f"a query is sent {count} times in one call, each time with other values: {shown(statement)}"
                yield sent(self, statement, usage, message, _instead(statement))


def _least(statement: Recorded, usage: Usage) -> int:
    site = usage.site
    if site is None or site.test or not _of_one_value(statement):
        return LEAST
    return LEAST_IN_LOOP if is_in_loop(site.path, site.line) else LEAST


def _of_one_value(statement: Recorded) -> bool:
    """Whether it compares a column with one parameter; a list may be a portion of a longer one."""
    sides = [(left, right) for left, operator, right in compared(statement) if operator == "="]
    return any(
        column_of(a) and parameter(b) is not None for left, right in sides for a, b in ((left, right), (right, left))
    )


def _pages(statement: Recorded) -> bool:
    """Whether it is a page of a longer result, or locks rows."""
    select = outer(statement)
    return select is None or select.HasField("limit_offset") or bool(select.locking_clause) or _keyset(select)


def _keyset(select: pg.SelectStmt) -> bool:
    operators = {item.name[-1].string.sval for item in all_of(select.where_clause, pg.A_Expr)}
    return select.HasField("limit_count") and bool(select.sort_clause) and bool(operators & {"<", ">", "<=", ">="})


def _reads_rows(statement: Recorded) -> bool:
    return bool(relations(tree(statement.text)))


def _instead(statement: Recorded) -> str:
    for left, operator, right in compared(statement):
        for side, other in ((left, right), (right, left)):
            column = column_of(side)
            if operator == "=" and column is not None and parameter(other) is not None:
                return (
                    f"Send one query for all values: .where({column[1]}.in_(values)), "
                    f"and sort the rows by {column[1]} in Python."
                )
    return "Send one query for all values, with in_(values), and sort the rows in Python."
