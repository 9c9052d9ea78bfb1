"""What the application's source says at the line that sends a statement."""

from __future__ import annotations

import ast
from pathlib import Path

from alembic_pgpatterns.output.places import file_at
from alembic_pgpatterns.workload.literals import parsed
from alembic_pgpatterns.workload.model import Workload

_ENGINES = frozenset({"create_engine", "create_async_engine", "engine_from_config", "async_engine_from_config"})
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def tree_at(path: str) -> ast.Module | None:
    """The tree of the file of a place; None if it cannot be read."""
    return parsed(file_at(path))


def spans(node: ast.stmt | ast.expr, line: int) -> bool:
    """Whether a node stands at a line."""
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def function_at(tree: ast.Module, line: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The innermost function around a line."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return max((node for node in functions if spans(node, line)), key=lambda node: node.lineno, default=None)


def is_in_loop(path: str, line: int) -> bool:
    """Whether a line runs once for each object of some data: in a ``for`` over anything but a range or a constant list.

    ``while`` is none of these: it polls, tries again, or reads page after page.
    """
    tree = tree_at(path)
    function = function_at(tree, line) if tree is not None else None
    if function is None:
        return False
    for node in ast.walk(function):
        if isinstance(node, ast.For | ast.AsyncFor):
            inside, iterable = any(spans(part, line) for part in node.body), node.iter
        elif isinstance(node, _COMPREHENSIONS):
            # What it goes over is computed once; in the same line the two cannot be told apart.
            iterable = node.generators[0].iter
            inside = spans(node, line) and not spans(iterable, line)
        else:
            continue
        if inside and _is_data(iterable):
            return True
    return False


def tests_make_engines(workload: Workload) -> bool:
    """Whether a recorded test, or a conftest.py above it, makes an engine: then it is not the application's."""
    tests = {
        test.partition("::")[0] for statement in workload.statements for use in statement.usages for test in use.tests
    }
    paths = {path for test in tests for path in (test, *(str(folder / "conftest.py") for folder in Path(test).parents))}
    return any(_makes_engine(tree) for tree in map(tree_at, sorted(paths)) if tree is not None)


def _makes_engine(tree: ast.Module) -> bool:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(ast.unparse(node.func).rpartition(".")[2] in _ENGINES for node in calls)


def _is_data(iterable: ast.expr) -> bool:
    if isinstance(iterable, ast.Call):
        return ast.unparse(iterable.func).rpartition(".")[2] not in ("range", "batched", "chunked", "count", "islice")
    return not isinstance(iterable, ast.Tuple | ast.List | ast.Set | ast.Constant)
