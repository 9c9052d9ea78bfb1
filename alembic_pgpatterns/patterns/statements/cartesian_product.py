from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import all_of, column_of, conditions, selects
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.sql.parser import pg
from alembic_pgpatterns.workload.model import Workload


class CartesianProduct(StatementPattern):
    """Two tables in one query that nothing joins.

    The result has each row of one with each row of the other: a thousand and a thousand rows are a million. Usually a
    condition was forgotten.
    """

    references = ("https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-JOIN",)
    bad = """
        def run(session):
            session.execute(select(Author.id, Book.id).where(Book.status == "new")).all()
    """
    good = """
        def run(session):
            session.execute(select(Author.id, Book.id).where(Book.author_id == Author.id)).all()
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Queries whose FROM list falls into parts."""
        for statement, usage in usages(workload):
            for select in selects(statement):
                parts = _parts(select)
                if len(parts) > 1:
                    names = " and ".join(sorted(min(part) for part in parts))
                    message = f"nothing joins {names}, so each row meets each: {shown(statement)}"
                    yield sent(self, statement, usage, message, f"Join {names}: .join(...), or a condition on both.")
                    break


def _parts(select: pg.SelectStmt) -> list[set[str]]:
    """The tables of a FROM list in groups that conditions or joins connect; one group where not all is understood."""
    groups = [_aliases(item) for item in select.from_clause]
    if len(groups) < 2 or any(group is None for group in groups):
        return []
    parts = [group for group in groups if group]
    for expression in conditions(select):
        names = {column[0] for reference in all_of(expression, pg.ColumnRef) if (column := _column(reference))}
        touched = [part for part in parts if part & names]
        if None in names:
            return []
        if len(touched) > 1:
            parts = [part for part in parts if part not in touched] + [set().union(*touched)]
    return parts


def _column(reference: pg.ColumnRef) -> tuple[str | None, str] | None:
    return column_of(pg.Node(column_ref=reference))


def _aliases(item: pg.Node) -> set[str] | None:
    """The tables of one entry, those of its joins too; None where it is no table: that may have one row."""
    kind = item.WhichOneof("node")
    if kind == "range_var":
        return {item.range_var.alias.aliasname or item.range_var.relname}
    if kind == "join_expr":
        left, right = _aliases(item.join_expr.larg), _aliases(item.join_expr.rarg)
        return left | right if left is not None and right is not None else None
    return None
