"""``IN`` lists, which PostgreSQL prints as arrays and does not read back as the same text.

``kind IN ('a', 'b')`` on a varchar column is printed as ``= ANY ((ARRAY['a'::character varying, …])::text[])``. What is
created from that text is printed in yet another way.
"""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.schema.sql.parser import postgast


def as_written(statement: str) -> str:
    """Return a statement with ``IN`` where PostgreSQL has made an array of such a list for a varchar column.

    Args:
        statement: what PostgreSQL prints.
    """
    if "::text[]" not in statement:
        return statement
    return _with_in_lists(statement, only_casts=True) or statement


def with_in_lists(expression: str) -> str | None:
    """Return an expression with ``IN`` instead of ``= ANY (ARRAY[...])``; None if it has none, or cannot be parsed."""
    result = _with_in_lists(f"SELECT {expression}")
    return None if result is None else result.removeprefix("SELECT ")


def _with_in_lists(statement: str, only_casts: bool = False) -> str | None:
    try:
        tree = postgast.parse(statement)
    except postgast.PgQueryError:
        return None
    pb = postgast.pg_query_pb2
    changed = False
    for node in postgast.find_nodes(tree, pb.A_Expr):
        elements = _elements(node) if node.kind in (pb.AEXPR_OP_ANY, pb.AEXPR_OP_ALL) else None
        if elements is None or (only_casts and not _is_cast(node.rexpr)):
            continue
        # PostgreSQL makes = ANY of IN, and <> ALL of NOT IN.
        operator = "=" if node.kind == pb.AEXPR_OP_ANY else "<>"
        if node.name[-1].string.sval != operator:
            continue
        items = [_bare(item) for item in elements]
        left = _bare(node.lexpr)
        node.kind = pb.AEXPR_IN
        node.lexpr.CopyFrom(left)
        node.rexpr.Clear()
        node.rexpr.list.items.extend(items)
        changed = True
    if not changed:
        return None
    return str(postgast.deparse(tree))


def _is_cast(node: Any) -> bool:
    """Whether an array as a whole has a cast, which only a list of another type than text gets."""
    return bool(node.WhichOneof("node") == "type_cast")


def _elements(node: Any) -> list[Any] | None:
    right = node.rexpr
    while right.WhichOneof("node") == "type_cast":
        right = right.type_cast.arg
    return list(right.a_array_expr.elements) if right.WhichOneof("node") == "a_array_expr" else None


def _bare(node: Any) -> Any:
    """A node without casts, which PostgreSQL adds again."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    copy = type(node)()
    copy.CopyFrom(node)
    return copy
