"""Whether a sent value is a constant in the application's source, so that it is always the same."""

from __future__ import annotations

import ast
from functools import lru_cache

from alembic_pgpatterns.output.places import file_at
from alembic_pgpatterns.workload.model import Recorded, Site

_LARGEST = 5_000_000
"""The most bytes of a file to read."""


def is_literal(statement: Recorded, value: object) -> bool | None:
    """Whether the function of every place that sends the statement contains the value; None if no source can be read.

    A member of an enumeration counts by its name (``Status.PENDING`` for 'pending').
    """
    sites = [usage.site for usage in statement.usages if usage.site is not None and not usage.site.test]
    answers = [_names(site, value) for site in sites]
    certain = [answer for answer in answers if answer is not None]
    return all(certain) if certain else None


def _names(site: Site, value: object) -> bool | None:
    tree = _parsed(site.path)
    if tree is None:
        return None
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= site.line <= (node.end_lineno or node.lineno)
    ]
    scope = max(functions, key=lambda node: node.lineno, default=None)
    return scope is not None and any(_is(node, value) for node in ast.walk(scope))


def _is(node: ast.AST, value: object) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is type(value) and node.value == value
    # `Status.PENDING` stands for 'pending'.
    return isinstance(node, ast.Attribute) and node.attr.isupper() and node.attr.lower() == str(value).lower()


@lru_cache(maxsize=256)
def _parsed(path: str) -> ast.Module | None:
    file = file_at(path)
    try:
        return ast.parse(file.read_text("utf-8")) if file.stat().st_size < _LARGEST else None
    except (OSError, SyntaxError, ValueError):
        return None
