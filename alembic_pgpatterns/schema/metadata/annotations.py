"""What the annotation of a mapped attribute says about null."""

from __future__ import annotations

import ast
import types
import typing
from typing import Annotated, Any, ForwardRef, Union

from sqlalchemy.orm import Mapped


def allows_none(annotation: Any) -> bool:
    """Whether an annotation names None: ``Mapped[bool | None]``, ``Mapped[Optional[bool]]``, also as a string.

    A string is parsed and not evaluated: its names may exist for type checkers only.
    """
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return _text_allows_none(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(item is type(None) or allows_none(item) for item in arguments)
    if origin is Annotated or (isinstance(origin, type) and issubclass(origin, Mapped)):
        return any(map(allows_none, arguments[:1]))
    return False


def _text_allows_none(text: str) -> bool:
    try:
        return _node_allows_none(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError:
        return False


def _node_allows_none(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None or (isinstance(node.value, str) and _text_allows_none(node.value))
    if isinstance(node, ast.BinOp):  # bool | None
        return _node_allows_none(node.left) or _node_allows_none(node.right)
    if not isinstance(node, ast.Subscript):
        return False
    name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Annotated":
        inner = inner[:1]
    elif name not in ("Mapped", "Union"):
        return name == "Optional"
    return any(map(_node_allows_none, inner))
