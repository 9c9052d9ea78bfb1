"""Patterns of LIKE: what is known of them, and whether they ask how a text begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast

Pattern = tuple[str | int, ...]
"""The parts of a pattern that are joined by ``||``: texts, and numbers of parameters (0: something else)."""


def read_pattern(node: Any) -> Pattern:
    """The parts of the right side of a LIKE in a parse tree.

    SQLAlchemy writes ``name.contains(word)`` as ``name LIKE '%' || $1 || '%'``, with ``autoescape`` and an ESCAPE.
    """
    kind = node.WhichOneof("node")
    if kind in ("type_cast", "collate_clause"):
        return read_pattern(node.type_cast.arg if kind == "type_cast" else node.collate_clause.arg)
    if kind == "a_const":
        return (node.a_const.sval.sval,)
    if kind == "a_expr" and node.a_expr.name[-1].string.sval == "||":
        return (*read_pattern(node.a_expr.lexpr), *read_pattern(node.a_expr.rexpr))
    if kind == "func_call" and node.func_call.funcname[-1].string.sval == "like_escape":
        return read_pattern(node.func_call.args[0])
    parameters = list(postgast.find_nodes(node, pg.ParamRef))
    return (int(parameters[0].number) if len(parameters) == 1 else 0,)


def pattern_of(pattern: Pattern, samples: Sequence[Sequence[object]]) -> str | None:
    """The pattern with the first recorded values; None if one of them is not known."""
    parts = [_value(part, samples) for part in pattern]
    return None if None in parts or not parts else "".join(str(part) for part in parts)


def is_prefix(operator: str, pattern: Pattern, samples: Sequence[Sequence[object]]) -> bool:
    """Whether a comparison asks how a text begins. ``operator``: like, ilike or regex."""
    if operator != "like" or not pattern:
        return False
    first = _value(pattern[0], samples)
    # `$1 || '%'`: the wildcard that the application adds stands at the end.
    return bool(first) and not str(first).startswith(("%", "_")) if first is not None else len(pattern) > 1


def _value(part: str | int, samples: Sequence[Sequence[object]]) -> object:
    if isinstance(part, str):
        return part
    values = (sample[part - 1] for sample in samples if part and len(sample) >= part)
    return next((value for value in values if value is not None), None)
