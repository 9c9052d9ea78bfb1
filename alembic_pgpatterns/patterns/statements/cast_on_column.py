from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import column_of, compared, model_column, unwrapped
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Recorded, Workload

TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})


class CastOnColumn(StatementPattern):
    """A column that is cast before it is compared, so that no index on it can be used.

    An index holds the column's own values. With a cast around the column PostgreSQL cannot use it and reads the whole
    table. Cast the value instead, or compare with a range.
    """

    references = ("https://www.postgresql.org/docs/current/indexes-expressional.html",)
    bad = """
        def run(session):
            session.scalars(select(Book).where(cast(Book.id, Text) == "7")).all()
    """
    good = """
        def run(session):
            session.scalars(select(Book).where(Book.id == 7)).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Comparisons of a cast column with a value."""
        for statement, usage in usages(workload):
            for left, operator, right in compared(statement):
                column = _cast_column(statement, left, schema)
                if column is not None and operator in ("=", "<", ">", "<=", ">=") and is_value(right):
                    message = (
                        f"{column} is cast before it is compared, so no index on it can be used: {shown(statement)}"
                    )
                    yield sent(self, statement, usage, message, _instead(left, column))
                    break


def is_value(node: pg.Node) -> bool:
    """Whether a node is a value, and no column."""
    return unwrapped(node).WhichOneof("node") in ("param_ref", "a_const", "a_array_expr", "list")


def _cast_column(statement: Recorded, node: pg.Node, schema: Schema | None) -> str | None:
    if node.WhichOneof("node") != "type_cast":
        return None
    column = column_of(node.type_cast.arg)
    if column is None:
        return None
    target = _target(node)
    declared = model_column(statement, column, schema)
    # Kinds of text are one to an index. Where the schema does not tell the column's type, it is another one.
    same = declared.type.name in TEXTS if declared is not None else False
    return None if same and target in TEXTS else column[1]


def _target(node: pg.Node) -> str:
    return str(node.type_cast.type_name.names[-1].string.sval)


def _instead(node: pg.Node, column: str) -> str:
    if _target(node) == "date":
        return f"Compare with a range: {column} >= day, {column} < day + timedelta(days=1)."
    return f"Give the value the type of {column}, and compare the plain column; or index the expression."
