"""Which columns a policy compares with a value that is the same for all rows of a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.patterns.security._tree import children, kind_of, of_row
from alembic_pgpatterns.schema.sql.expressions import column_name, parse
from alembic_pgpatterns.schema.sql.parser import (
    AEXPR_OP,
    AEXPR_OP_ANY,
    AND_EXPR,
    ANY_SUBLINK,
    OR_EXPR,
    SVFOP_CURRENT_CATALOG,
    SVFOP_CURRENT_ROLE,
    SVFOP_CURRENT_SCHEMA,
    SVFOP_CURRENT_USER,
    SVFOP_SESSION_USER,
    SVFOP_USER,
)

VALUES = frozenset({"FuncCall", "SQLValueFunction", "SubLink"})
"""What makes a value one of the session, and not a constant that stands in the policy."""

ROLES = frozenset(
    {
        SVFOP_CURRENT_CATALOG,
        SVFOP_CURRENT_ROLE,
        SVFOP_CURRENT_SCHEMA,
        SVFOP_CURRENT_USER,
        SVFOP_SESSION_USER,
        SVFOP_USER,
    }
)
"""Keywords whose value is of type name."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A column that must equal a value of the session.

    ``cast``: the type it is cast to first, by its short name. ``role``: the value is CURRENT_USER or its like, whose
    type name has the collation "C", and a comparison of it with text takes that (docs, "Collation Support").
    """

    column: str
    cast: str | None = None
    role: bool = False


@lru_cache(maxsize=4096)
def compared(expression: str) -> frozenset[Compared]:
    """Every such comparison in a policy's expression, wherever AND, OR and NOT put it, and every ``IN (SELECT …)``."""
    return frozenset(_compared(expression))


def _compared(expression: str) -> Iterator[Compared]:
    waiting = [parse(expression)]
    while waiting:
        node = waiting.pop()
        if node is not None and kind_of(node) == "bool_expr":
            waiting.extend(node.bool_expr.args)
        elif node is not None and (comparison := _comparison(node) or _member(node)) is not None:
            yield comparison


def missing(expression: str, served: Callable[[Compared], bool]) -> tuple[Compared, ...]:
    """The comparisons that lack an index, where indexes can find the rows that an expression is true of.

    Of conditions joined by AND one is enough; joined by OR, all of them must be served. None where nothing lacks
    or nothing helps.

    Args:
        expression: the policy's.
        served: whether an index finds the rows of that comparison.
    """
    return _missing(_condition(expression), served) or ()


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions joined by AND (``all``) or by OR. None stands for one that no index on a column serves."""

    all: bool
    parts: tuple[Joined | Compared | None, ...]


@lru_cache(maxsize=4096)
def _condition(expression: str) -> Joined | Compared | None:
    node = parse(expression)
    return None if node is None else _joined(node)


def _joined(node: Any) -> Joined | Compared | None:
    if kind_of(node) != "bool_expr":
        return _comparison(node)
    if node.bool_expr.boolop not in (AND_EXPR, OR_EXPR):
        return None
    return Joined(node.bool_expr.boolop == AND_EXPR, tuple(map(_joined, node.bool_expr.args)))


def _missing(condition: Joined | Compared | None, served: Callable[[Compared], bool]) -> tuple[Compared, ...] | None:
    """Empty where it is served; None where no index on a column can help."""
    if condition is None:
        return None
    if isinstance(condition, Compared):
        return () if served(condition) else (condition,)
    within = [_missing(part, served) for part in condition.parts]
    helped = [item for item in within if item is not None]
    # One index is enough for conditions joined by AND: what is missing is what the nearest of them lacks.
    if condition.all:
        return min(helped, key=len, default=None)
    # Joined by OR each needs one; where one cannot have any, all rows are read.
    if len(helped) < len(within):
        return None
    return tuple(dict.fromkeys(comparison for item in helped for comparison in item))


def _comparison(node: Any) -> Compared | None:
    if kind_of(node) != "a_expr" or node.a_expr.kind not in (AEXPR_OP, AEXPR_OP_ANY):
        return None
    expression = node.a_expr
    if expression.name[-1].string.sval != "=":
        return None
    sides = [(expression.lexpr, expression.rexpr)]
    # The array of `= ANY (…)` is on the right.
    if expression.kind == AEXPR_OP:
        sides.append((expression.rexpr, expression.lexpr))
    comparisons = (_side(side, other) for side, other in sides)
    return next((item for item in comparisons if item is not None), None)


def _member(node: Any) -> Compared | None:
    """``column IN (SELECT …)``: a condition on the column as well, but one that PostgreSQL uses no index for."""
    # `> ANY (SELECT …)` has the name of its operator.
    if kind_of(node) != "sub_link" or node.sub_link.sub_link_type != ANY_SUBLINK or node.sub_link.oper_name:
        return None
    column = column_name(node.sub_link.testexpr)
    return None if column is None or of_row(node.sub_link.subselect) else Compared(column)


def _side(side: Any, other: Any) -> Compared | None:
    cast = None
    if kind_of(side) == "type_cast":
        cast = side.type_cast.type_name.names[-1].string.sval
        side = side.type_cast.arg
    column = column_name(side)
    if column is None or of_row(other) or not _of_session(other):
        return None
    return Compared(column, cast, role=_names_role(other))


def _names_role(message: Any) -> bool:
    if message.DESCRIPTOR.name == "SQLValueFunction":
        return message.op in ROLES
    # COLLATE takes the collation of the type name away.
    return message.DESCRIPTOR.name != "CollateClause" and any(_names_role(child) for _, child in children(message))


def _of_session(message: Any) -> bool:
    return message.DESCRIPTOR.name in VALUES or any(_of_session(child) for _, child in children(message))
