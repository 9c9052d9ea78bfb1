from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import all_of, tree
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload

INSTEAD = "Write NOT EXISTS: ~exists().where(Other.key == Model.key)."


class NotInSubquery(StatementPattern):
    """NOT IN with a subquery: it finds nothing at all as soon as the subquery returns one NULL.

    If the subquery returns one NULL, NOT IN is never true and the query returns no row at all. And PostgreSQL cannot
    turn it into a join: it compares row by row when the subquery is large.
    """

    references = ("https://www.postgresql.org/docs/current/functions-subquery.html#FUNCTIONS-SUBQUERY-NOTIN",)
    bad = """
        def run(session):
            session.scalars(select(Author).where(Author.id.not_in(select(Book.author_id)))).all()
    """
    good = """
        def run(session):
            session.scalars(select(Author).where(~exists().where(Book.author_id == Author.id))).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries with NOT (x IN (SELECT ...))."""
        for statement, usage in usages(workload):
            nots = [item for item in all_of(tree(statement.text), pg.BoolExpr) if item.boolop == pg.NOT_EXPR]
            links = [item.args[0].sub_link for item in nots if item.args[0].WhichOneof("node") == "sub_link"]
            if any(link.sub_link_type == pg.ANY_SUBLINK for link in links):
                message = f"NOT IN with a subquery finds nothing as soon as it returns a NULL: {shown(statement)}"
                yield sent(self, statement, usage, message, INSTEAD)
