"""Of which tables an application deletes rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from alembic_pgpatterns.evidence.classes import Classes
from alembic_pgpatterns.evidence.model import QueryShape
from alembic_pgpatterns.evidence.scope import Ref, Value
from alembic_pgpatterns.evidence.symbols import FileFacts, FunctionFacts, PathQuery

_SESSIONS = ("session", "db", "conn", "uow")
"""What a name has in it that a session is called by: other things have a ``delete()`` too, a cache for one."""

_ADDRESSES = frozenset({"key", "path", "uri", "url"})
"""What the argument of such a ``delete()`` is called by: a session of HTTP has one, too."""


def deleted_rows(session: ast.expr, row: ast.expr, value: Value) -> set[str]:
    """What ``session.delete(row)`` deletes: paths of classes, else ``?`` and what the row is called.

    Args:
        session: what ``delete`` is called on.
        row: its argument.
        value: what the row is, as far as the function says.
    """
    if isinstance(value, Ref) and value.path.startswith("@"):
        return {value.path}
    if isinstance(value, PathQuery) and value.link is None and value.entities:
        return set(value.entities)
    called = _called(row)
    if isinstance(row, (ast.Constant, ast.JoinedStr, ast.Starred)) or not _is_session(session):
        return set()
    return set() if called.rpartition("_")[2] in _ADDRESSES else {f"?{called}"}


def _is_session(node: ast.expr) -> bool:
    name = _called(node).lower()
    return name == "s" or any(word in name for word in _SESSIONS)


def _called(node: ast.expr) -> str:
    """The last name in an expression: ``get_user(key)`` is get_user, ``link.row`` is row."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner) | ast.Await(value=inner):
            return _called(inner)
    return ""


def deletions(
    files: Sequence[FileFacts], classes: Classes, shapes: Sequence[QueryShape]
) -> tuple[frozenset[str], frozenset[str]]:
    """The tables of which rows are deleted, and the names of deleted rows of which the table is not known."""
    tables = {shape.table for shape in shapes if shape.command == "delete"}
    paths = {path for file in files for path in file.deleted}
    paths |= {path for file in files for function in file.functions for path in _named(function)}
    names: set[str] = set()
    for path in paths:
        of_path = set(_tables(path, classes))
        tables |= of_path
        names |= set() if of_path else {path.rpartition(".")[2].lstrip("?")}
    return frozenset(tables), frozenset(names)


def _named(function: FunctionFacts) -> Iterator[str]:
    """What a function's own DELETE statements name; ``?`` where that is a variable."""
    for query in function.queries:
        if query.command == "delete" and not query.superseded and not _is_of_object(query):
            if not query.entities:
                yield "?"
            elif query.fetched:  # without, it is `client.delete(…)` of whatever that is, if it is no table
                yield from query.entities


def _is_of_object(query: PathQuery) -> bool:
    """Whether it is ``get_blob(key).delete()``: a method of what a function returns, which is no query."""
    function = query.link.function if query.link is not None else ""
    narrowed = query.conditions or query.by_name or query.link is None or query.link.argument is not None
    return bool(function) and not narrowed and "query" not in function.lower()


def _tables(path: str, classes: Classes) -> Iterator[str]:
    """The tables of a class and of those below it: ``self`` of a mixin is a row of each."""
    if path.startswith("?"):
        return
    inner = path.lstrip("@")
    head, _, attribute = inner.rpartition(".")
    owners = classes.below(classes.canonical(inner))
    if path.startswith("@") and classes.get(inner) is None:  # `self.model` of a repository, which each class below sets
        bound = (classes.bound(below, attribute) for below in classes.below(classes.canonical(head)))
        owners = [owner for owner in bound if owner is not None]
    for owner in owners:
        table = classes.table(owner)
        if table is not None:
            yield table
