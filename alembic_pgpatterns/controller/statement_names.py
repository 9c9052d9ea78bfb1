"""Names that a statement has in its parse tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.schema.sql.parser import postgast


def strings(field: str, statement: str) -> list[str]:
    """The values of a field of this name anywhere in a statement's parse tree."""
    return [text for name, text in _fields(_tree(statement)) if name == field]


def search_path(statement: str) -> list[str]:
    """The schemas that a statement puts on the search path: by SET, or by set_config()."""
    tree = _tree(statement)
    texts = list(_constants(tree))
    if "search_path" not in {*texts, *(text for name, text in _fields(tree) if name == "name")}:
        return []
    return [part.strip().strip('"') for text in texts if text != "search_path" for part in text.split(",")]


def _constants(node: Any) -> Iterator[str]:
    """The string constants anywhere in a parse tree. Names of functions and types are strings there, too."""
    for descriptor, value in node.ListFields() if node is not None else ():
        if node.DESCRIPTOR.name == "A_Const" and descriptor.name == "sval":
            yield value.sval
        for item in _messages(value):
            yield from _constants(item)


def _messages(value: Any) -> Iterator[Any]:
    """The nodes below a field of a parse tree: one, several, or none for a field of another kind."""
    if hasattr(value, "ListFields"):
        yield value
    elif not isinstance(value, (str, int, float, bytes)):
        yield from (item for item in value if hasattr(item, "ListFields"))


def _tree(statement: str) -> Any:
    try:
        return postgast.parse(statement)
    except postgast.PgQueryError:
        return None


def _fields(node: Any) -> Iterator[tuple[str, str]]:
    if node is None:
        return
    for descriptor, value in node.ListFields():
        if isinstance(value, str):
            yield descriptor.name, value
        for item in _messages(value):
            yield from _fields(item)
