"""Whether a sent value is a constant in the application's source, so that it is always the same."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path

from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.output.places import file_at
from alembic_pgpatterns.workload.model import Recorded, Site

_LARGEST = 5_000_000
"""The most bytes of a file to read."""
_FILES = 400
"""The most files of an application to look into."""


def is_literal(statement: Recorded, value: object, column: str | None = None) -> bool | None:
    """Whether every place that sends the statement sends this constant; None if no source can be read.

    The function of the place has the constant, or it does not mention the column at all: then the condition comes
    from elsewhere (a hybrid property, a method that all queries begin with), and the constant is looked for there.
    A member of an enumeration counts by its name (``Status.PENDING`` for 'pending'), and a constant of a module or
    class by what it is given (``OPEN = ("new", "open")``).

    Args:
        statement: with the places.
        value: that it was sent with.
        column: with which the value is compared; None: it is part of an expression.
    """
    sites = [usage.site for usage in statement.usages if usage.site is not None and not usage.site.test]
    answers = [_sends(site, value, column) for site in sites]
    certain = [answer for answer in answers if answer is not None]
    return all(certain) if certain else None


def _sends(site: Site, value: object, column: str | None) -> bool | None:
    file = file_at(site.path)
    tree = parsed(file)
    if tree is None:
        return None
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= site.line <= (node.end_lineno or node.lineno)
    ]
    scope = max(functions, key=lambda node: node.lineno, default=None)
    constants = _constants(file)
    if scope is not None and any(_is(part, value) for node in ast.walk(scope) for part in _parts(node, constants)):
        return True
    if scope is not None and column is not None and any(_names(node, column) for node in ast.walk(scope)):
        return False  # it compares the column with something else
    return any(_compares(item, value, column, constants) for item in _application(file))


def _parts(node: ast.AST, constants: Mapping[str, tuple[ast.expr, ...]]) -> tuple[ast.AST, ...]:
    """The node, or what the constant that it names was given."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return (node, *constants.get(name, ()))


@lru_cache(maxsize=64)
def _constants(file: Path) -> Mapping[str, tuple[ast.expr, ...]]:
    """The upper-case names of modules and classes with the constants that they are given."""
    constants: dict[str, tuple[ast.expr, ...]] = {}
    for tree in _application(file):
        classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
        for node in itertools.chain(tree.body, *(item.body for item in classes)):
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and target.id.isupper():
                constants[target.id] = (*constants.get(target.id, ()), *_elements(node.value))
    return constants


def _elements(node: ast.expr | None) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and len(node.args) == 1:  # frozenset({...})
        node = node.args[0]
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        yield from node.elts
    elif node is not None:
        yield node


def _is(node: ast.AST, value: object) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is type(value) and node.value == value
    # `Status.PENDING` stands for 'pending': a member of a class, however it is spelt.
    if not isinstance(node, ast.Attribute) or node.attr.lower() != str(value).lower():
        return False
    owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    return node.attr.isupper() or owner[:1].isupper()


def _names(node: ast.AST, column: str) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == column) or (
        isinstance(node, ast.keyword) and node.arg == column
    )


def _compares(
    tree: ast.Module, value: object, column: str | None, constants: Mapping[str, tuple[ast.expr, ...]]
) -> bool:
    """Whether a comparison in a module, or a call such as ``in_``, has the value and the column."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.BinOp) or _is_membership(node):
            parts = list(ast.walk(node))
            if any(_is(item, value) for part in parts for item in _parts(part, constants)) and (
                column is None or any(_names(part, column) for part in parts)
            ):
                return True
    return False


def _is_membership(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("in_", "is_")


@lru_cache(maxsize=16)
def _modules(folder: Path) -> tuple[ast.Module, ...]:
    return tuple(islice((tree for path in _files(folder) if (tree := parsed(path)) is not None), _FILES))


def _application(file: Path) -> tuple[ast.Module, ...]:
    """The modules of the package that a file belongs to; the file alone if it belongs to none."""
    folder = file.parent
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    alone = parsed(file)
    return _modules(folder) if (folder / "__init__.py").is_file() else (alone,) if alone is not None else ()


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.rglob("*.py"))
    except OSError:
        return


@lru_cache(maxsize=512)
def parsed(file: Path) -> ast.Module | None:
    """The tree of a source file; None if it cannot be read. Each file is read once in a run."""
    try:
        return ast.parse(read_text(file)) if file.stat().st_size < _LARGEST else None
    except (OSError, SyntaxError, ValueError):
        return None
