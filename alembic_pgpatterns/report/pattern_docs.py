"""What a pattern says of itself in its docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import fields
from typing import Any

from alembic_pgpatterns.patterns import Pattern


def title(cls: type[Pattern]) -> str:
    """The first line of a pattern's docstring: what it is."""
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]


def option_docs(options: type[Any]) -> dict[str, str]:
    """The string literals under the fields of a dataclass."""
    docs: dict[str, str] = {}
    for owner in reversed(options.__mro__[:-1]):
        docs |= _documented(ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0])
    return docs if fields(options) else {}


def _documented(owner: ast.stmt) -> dict[str, str]:
    assert isinstance(owner, ast.ClassDef)
    docs: dict[str, str] = {}
    for before, after in zip(owner.body, owner.body[1:], strict=False):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(text, str):
            docs[before.target.id] = " ".join(text.split())
    return docs
