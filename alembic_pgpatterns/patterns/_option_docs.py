"""The documentation of a pattern's options: the string literals under the fields of their dataclass."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import fields
from typing import Any


def option_docs(options: type[Any]) -> dict[str, str]:
    """The string literals under the fields of a dataclass, by field."""
    docs: dict[str, str] = {}
    for owner in reversed(options.__mro__[:-1]):
        # Options of a plugin's pattern are described by its own process.
        described = owner.__dict__.get("described_options")
        docs |= _documented(ast.parse(textwrap.dedent(inspect.getsource(owner)))) if described is None else described
    return docs if fields(options) else {}


def _documented(module: ast.Module) -> dict[str, str]:
    owner = module.body[0]
    assert isinstance(owner, ast.ClassDef)
    docs: dict[str, str] = {}
    for before, after in zip(owner.body, owner.body[1:], strict=False):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(text, str):
            docs[before.target.id] = " ".join(text.split())
    return docs
