"""Questions to SQL expressions, answered from PostgreSQL's own parse tree (libpg_query), never by matching text."""

from __future__ import annotations

from functools import lru_cache

import postgast
from postgast.pg_query_pb2 import IS_NOT_NULL, Node


@lru_cache(maxsize=4096)
def parse(expression: str) -> Node | None:
    """The parse tree of one SQL expression; None where it is none."""
    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return None
    targets = tree.stmts[0].stmt.select_stmt.target_list
    return targets[0].res_target.val if len(targets) == 1 else None


def column_name(node: Node) -> str | None:
    """The column a node names, without its table; None where it is anything else."""
    if node.WhichOneof("node") != "column_ref":
        return None
    last = node.column_ref.fields[-1]
    return last.string.sval if last.WhichOneof("node") == "string" else None


def not_null_column(expression: str) -> str | None:
    """``c`` where the whole expression is ``c IS NOT NULL``, else None."""
    node = parse(expression)
    if node is None or node.WhichOneof("node") != "null_test" or node.null_test.nulltesttype != IS_NOT_NULL:
        return None
    return column_name(node.null_test.arg)
