"""How long a CHECK lets a text column be; from the parse tree."""

from __future__ import annotations

from functools import lru_cache

from alembic_pgpatterns.schema.sql.expressions import column_name, conjuncts
from alembic_pgpatterns.schema.sql.parser import AEXPR_BETWEEN, AEXPR_OP, Node
from alembic_pgpatterns.schema.sql.values import allowed, constant_of, function_of, uncast

LENGTH_FUNCTIONS = frozenset({"char_length", "character_length", "length"})
"""All three count the characters of a text (docs, "String Functions and Operators")."""


@lru_cache(maxsize=4096)
def longest(expression: str, column: str) -> int | None:
    """The most characters that a CHECK lets the column have; None if the CHECK does not limit them.

    Understood are comparisons of the column's length with a number, and lists of the allowed values.
    """
    limits = [_limit(part, column) for part in conjuncts(expression)]
    listed = allowed(expression)
    if listed is not None and listed[0] == column:
        limits.append(max(map(len, listed[1]), default=0))
    numbers = [limit for limit in limits if limit is not None]
    return min(numbers) if numbers else None


def _limit(node: Node, column: str) -> int | None:
    if node.WhichOneof("node") != "a_expr" or not _measures(node.a_expr.lexpr, column):
        return None
    between = node.a_expr.kind == AEXPR_BETWEEN
    if not between and node.a_expr.kind != AEXPR_OP:
        return None
    number = constant_of(node.a_expr.rexpr.list.items[-1] if between else node.a_expr.rexpr)
    operator = node.a_expr.name[-1].string.sval
    if number is None or not number.isdigit():
        return None
    if between or operator in ("<=", "="):
        return int(number)
    return int(number) - 1 if operator == "<" else None


def _measures(node: Node, column: str) -> bool:
    """Whether it is the length of the column, maybe cast to text, as PostgreSQL prints it for a varchar."""
    if function_of(node) not in LENGTH_FUNCTIONS or len(node.func_call.args) != 1:
        return False
    return column_name(uncast(node.func_call.args[0])) == column
