from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from alembic_pgpatterns.output.places import file_at
from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import SQLALCHEMY_SELECT, sent, shown, usages
from alembic_pgpatterns.patterns.statements._trees import outer
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Recorded, Site, Workload

_LARGEST = 5_000_000
"""Bytes of a source file that is read."""


class CountForExistence(StatementPattern):
    """All matching rows are counted, only to learn whether there is one.

    count(*) reads every row that matches. EXISTS stops at the first.

    It counts where the line that sends the query compares the count with 0, or takes it for true or false.
    """

    severity = Severity.INFO
    references = (SQLALCHEMY_SELECT,)
    models = """
        class Book(Base):
            __tablename__ = "book"
            id: Mapped[int] = mapped_column(primary_key=True)
    """
    bad = """
        def run(session):
            return session.scalar(select(func.count()).select_from(Book).where(Book.id > 3)) > 0
    """
    good = """
        def run(session):
            return session.scalar(select(exists().where(Book.id > 3)))
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Counts whose source line asks only whether there are any."""
        for statement, usage in usages(workload):
            if usage.site is not None and _counts(statement) and _asks_for_any(usage.site):
                message = f"rows are counted to learn whether there is one: {shown(statement)}"
                yield sent(self, statement, usage, message, "Write session.scalar(select(exists().where(...))).")


def _counts(statement: Recorded) -> bool:
    select = outer(statement)
    if select is None or len(select.target_list) != 1 or select.group_clause:
        return False
    value = select.target_list[0].res_target.val
    return bool(value.WhichOneof("node") == "func_call" and value.func_call.funcname[-1].string.sval == "count")


def _asks_for_any(site: Site) -> bool:
    tree = _parsed(site.path)
    if tree is None:
        return False
    return any(_asks(node, site.line) for node in ast.walk(tree))


def _asks(node: ast.AST, line: int) -> bool:
    if isinstance(node, ast.Compare):
        return _spans(node, line) and _with_zero(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        return _spans(node.test, line) and not _compares(node.test)
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "bool" and _spans(node, line)


def _spans(node: ast.expr, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _compares(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Compare) for part in ast.walk(node))


def _with_zero(node: ast.Compare) -> bool:
    constants = [side.value for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)]
    ask = isinstance(node.ops[0], ast.Gt | ast.NotEq | ast.Eq | ast.LtE) and 0 in constants
    return ask or (isinstance(node.ops[0], ast.GtE | ast.Lt) and 1 in constants)


@lru_cache(maxsize=64)
def _parsed(path: str) -> ast.Module | None:
    file = file_at(path)
    try:
        return ast.parse(file.read_text("utf-8")) if file.stat().st_size < _LARGEST else None
    except (OSError, SyntaxError, ValueError):
        return None
