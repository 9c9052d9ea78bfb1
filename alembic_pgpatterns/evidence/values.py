"""What a file does with values that it has loaded, where another type of the column would break it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from alembic_pgpatterns.evidence.scope import statements

_TEXT_METHODS = frozenset(
    {"encode", "endswith", "lower", "partition", "replace", "rpartition", "rsplit", "split", "startswith", "strip",
     "upper"}
)  # fmt: skip
"""Methods of str that uuid.UUID lacks."""


def naive_uses(source: str, tree: ast.Module) -> dict[str, int]:
    """Attributes that are compared with, or subtracted from, a time without a zone: the line of each first one.

    With a value that has a zone Python raises TypeError there; a query reads the other one in its session's zone.
    """
    if "utcnow" not in source and ".now()" not in source and ".today()" not in source:
        return {}  # to walk the whole tree costs time
    result: dict[str, int] = {}
    for body in _bodies(tree):
        clocks = _clock_names(body)
        for node in _expressions(body):
            operands = _compared(node)
            for operand in operands:
                others = [other for other in operands if other is not operand]
                if any(_is_naive(other, clocks) for other in others):
                    for name, line in _attributes(operand):
                        result.setdefault(name, line)
    return result


def text_uses(source: str, tree: ast.Module) -> dict[str, int]:
    """Attributes that are sliced, joined to a text, or asked for what only a text can do: the line of each first one.

    The tree is only walked for names that are about UUIDs or tokens, which may become `uuid`.
    """
    if "uuid" not in source.lower() and "token" not in source and "guid" not in source.lower():
        return {}
    result: dict[str, int] = {}
    for node in ast.walk(tree):
        for operand in _as_text(node):
            if isinstance(operand, ast.Attribute):
                result.setdefault(operand.attr, operand.lineno)
    return result


def _as_text(node: ast.AST) -> Iterator[ast.expr]:
    """What a node takes for a text."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield node.value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (node.left, node.right)
        if any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in sides):
            yield from sides
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TEXT_METHODS:
        yield node.func.value


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The module's own body, and that of each function."""
    yield [node for node in tree.body if not isinstance(node, ast.ClassDef)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.body


def _expressions(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for statement in body:
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from ast.walk(statement)


def _clock_names(body: list[ast.stmt]) -> frozenset[str]:
    """Variables of a function that hold a time without a zone, and nothing else."""
    naive, other = set[str](), set[str]()
    for statement in statements(body):
        if isinstance(statement, ast.Assign):
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            (naive if _is_naive(statement.value, frozenset(naive)) else other).update(names)
    return frozenset(naive - other)


def _compared(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return [node.left, node.right]
    return []


def _is_naive(node: ast.expr, clocks: frozenset[str]) -> bool:
    """Whether it is a time without a zone: a clock, maybe cut, and maybe with a span added."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return _is_naive(node.left, clocks)
    if isinstance(node, ast.Name):
        return node.id in clocks
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr == "replace":
        return all(item.arg != "tzinfo" for item in node.keywords) and _is_naive(node.func.value, clocks)
    return node.func.attr in ("utcnow", "now", "today") and _is_clock(node.func.value) and not _has_zone(node)


def _is_clock(node: ast.expr) -> bool:
    """``datetime`` or ``datetime.datetime``, also under another name such as ``dt.datetime``."""
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == "datetime"


def _has_zone(call: ast.Call) -> bool:
    return bool(call.args or call.keywords)


def _attributes(node: ast.expr) -> Iterator[tuple[str, int]]:
    """The attributes that are the operand, or that a span is added to; not those of which a function is called."""
    if isinstance(node, ast.Attribute):
        yield node.attr, node.lineno
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        yield from _attributes(node.left)
        yield from _attributes(node.right)
