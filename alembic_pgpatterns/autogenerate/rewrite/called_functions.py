"""The functions that an SQL expression calls."""

from __future__ import annotations

from typing import Any


def functions(expression: str) -> list[tuple[str | None, str]]:
    """Return the functions that an SQL expression calls, with the schema if one is written."""
    from alembic_pgpatterns.schema.sql.parser import postgast

    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        # Assume the worst if it cannot be parsed: a function that no catalog has.
        return [(None, "")]
    return [_function(call) for call in postgast.find_nodes(tree, postgast.pg_query_pb2.FuncCall)]


def _function(call: Any) -> tuple[str | None, str]:
    parts = [part.string.sval for part in call.funcname]
    return (parts[-2] if len(parts) > 1 else None, parts[-1])
