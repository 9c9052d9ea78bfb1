from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import all_of, parameter, tree
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload

INSTEAD = (
    "Add the condition in Python only where there is a value: if value is not None: statement = statement.where(...)."
)


class GenericPlanHazard(StatementPattern):
    """A filter that a parameter switches off, ($1 IS NULL OR column = $1): one plan has to serve both cases.

    PostgreSQL makes one plan for both meanings, so it cannot use an index where it plans for any value (prepared
    statements, which drivers make of statements that are sent often).

    Leave the condition out in Python instead, when there is no value.
    """

    references = ("https://www.postgresql.org/docs/current/sql-prepare.html",)
    bad = """
        def run(session):
            wanted = bindparam("wanted", type_=Integer)
            statement = select(Book).where(or_(wanted.is_(None), Book.author_id == wanted))
            session.execute(statement, {"wanted": 3}).all()
    """
    good = """
        def run(session):
            statement = select(Book)
            wanted = 3
            if wanted is not None:
                statement = statement.where(Book.author_id == wanted)
            session.scalars(statement).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """ORs of `parameter IS NULL` with a condition."""
        for statement, usage in usages(workload):
            ors = [item for item in all_of(tree(statement.text), pg.BoolExpr) if item.boolop == pg.OR_EXPR]
            if any(_optional(part) for item in ors for part in item.args):
                problem = "a filter is optional inside of the statement, so a prepared plan uses no index"
                message = f"{problem}: {shown(statement)}"
                yield sent(self, statement, usage, message, INSTEAD)


def _optional(node: pg.Node) -> bool:
    return (
        node.WhichOneof("node") == "null_test"
        and node.null_test.nulltesttype == pg.IS_NULL
        and parameter(node.null_test.arg) is not None
    )
