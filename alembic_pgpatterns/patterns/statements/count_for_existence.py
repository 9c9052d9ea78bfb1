from __future__ import annotations

import ast
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import SQLALCHEMY_SELECT, sent, shown, usages
from alembic_pgpatterns.patterns.statements._source import function_at, spans, tree_at
from alembic_pgpatterns.patterns.statements._trees import outer
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Recorded, Site, Workload


class CountForExistence(StatementPattern):
    """All matching rows are counted, only to learn whether there is one.

    count(*) reads every row that matches. EXISTS stops at the first.

    It counts where the line that sends the query compares the count with 0, or takes it for true or false; or where the
    count is given to a name of which the function asks nothing else.
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
    tree = tree_at(site.path)
    if tree is None:
        return False
    if any(_asks(node) and any(spans(part, site.line) for part in _questions_of(node)) for node in ast.walk(tree)):
        return True
    function = function_at(tree, site.line)
    return function is not None and _is_kept_for_a_question(function, site.line)


def _asks(node: ast.AST) -> bool:
    """Whether a node takes its parts for true or false, or compares them with 0."""
    if isinstance(node, ast.Compare):
        return _with_zero(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        return not _compares(node.test)
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "bool"


def _questions_of(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        return [node.test]
    return [node] if isinstance(node, ast.Compare | ast.Call) else []


def _is_kept_for_a_question(function: ast.FunctionDef | ast.AsyncFunctionDef, line: int) -> bool:
    """Whether the count is given to a name of which nothing else is asked: ``count = …`` and ``return count > 0``."""
    assignments = [node for node in ast.walk(function) if isinstance(node, ast.Assign) and spans(node, line)]
    names = [node.targets[0].id for node in assignments if isinstance(node.targets[0], ast.Name)]
    if len(names) != 1:
        return False
    loads = {id(node) for node in ast.walk(function) if _reads(node, names[0])}
    questions = [part for node in ast.walk(function) if _asks(node) for part in _questions_of(node)]
    return bool(loads) and loads == {
        id(node) for part in questions for node in ast.walk(part) if _reads(node, names[0])
    }


def _reads(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def _compares(node: ast.expr) -> bool:
    """Whether a condition is a comparison, or has one among its parts; one in a call's arguments is the query's."""
    if isinstance(node, ast.BoolOp):
        return any(map(_compares, node.values))
    return _compares(node.operand) if isinstance(node, ast.UnaryOp) else isinstance(node, ast.Compare)


def _with_zero(node: ast.Compare) -> bool:
    constants = [side.value for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)]
    ask = isinstance(node.ops[0], ast.Gt | ast.NotEq | ast.Eq | ast.LtE) and 0 in constants
    return ask or (isinstance(node.ops[0], ast.GtE | ast.Lt) and 1 in constants)
