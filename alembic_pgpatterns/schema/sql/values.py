"""Values in SQL expressions: constants, calls, and what a CHECK allows; from the parse tree."""

from __future__ import annotations

from functools import lru_cache

from alembic_pgpatterns.schema.sql.expressions import column_name, parse
from alembic_pgpatterns.schema.sql.parser import (
    AEXPR_BETWEEN,
    AEXPR_IN,
    AEXPR_OP,
    AEXPR_OP_ANY,
    AND_EXPR,
    IS_NOT_NULL,
    OR_EXPR,
    A_Expr,
    ColumnRef,
    FuncCall,
    Node,
    NullTest,
    postgast,
)

NULL_COUNTS = frozenset({"num_nulls", "num_nonnulls"})


@lru_cache(maxsize=4096)
def columns(expression: str) -> frozenset[str]:
    """Names of all columns in the expression, of any table; none if it does not parse."""
    node = parse(expression)
    if node is None:
        return frozenset()
    last = (reference.fields[-1] for reference in postgast.find_nodes(node, ColumnRef))
    return frozenset(field.string.sval for field in last if field.WhichOneof("node") == "string")


@lru_cache(maxsize=4096)
def called(expression: str) -> str | None:
    """The called function if the whole expression is a call (maybe inside casts), without its schema; else None."""
    node = parse(expression)
    return None if node is None else function_of(uncast(node))


@lru_cache(maxsize=4096)
def calls(expression: str) -> frozenset[str]:
    """Names of all functions called anywhere in the expression, without their schemas."""
    node = parse(expression)
    if node is None:
        return frozenset()
    return frozenset(call.funcname[-1].string.sval for call in postgast.find_nodes(node, FuncCall))


@lru_cache(maxsize=4096)
def constant(expression: str) -> str | None:
    """The text of the constant if the expression is one, maybe inside casts (``'N'::bpchar`` is "N"); else None."""
    node = parse(expression)
    return None if node is None else constant_of(node)


@lru_cache(maxsize=4096)
def allowed(expression: str) -> tuple[str, frozenset[str]] | None:
    """The column and the constants that a CHECK allows, if it is a plain list of constants for one column; else None.

    Understood are ``IN``, ``= ANY (ARRAY[…])``, equalities joined by OR, and ranges of at most 16 integers, each also
    joined with ``OR x IS NULL``.
    """
    node = parse(expression)
    return None if node is None else _allowed(node)


@lru_cache(maxsize=4096)
def null_tested(expression: str) -> frozenset[str]:
    """Columns that the expression tests for null: by IS [NOT] NULL, num_nulls() or num_nonnulls()."""
    node = parse(expression)
    if node is None:
        return frozenset()
    tested = [column_name(test.arg) for test in postgast.find_nodes(node, NullTest)]
    for call in postgast.find_nodes(node, FuncCall):
        if call.funcname[-1].string.sval in NULL_COUNTS:
            tested.extend(map(column_name, call.args))
    return frozenset(name for name in tested if name is not None)


@lru_cache(maxsize=4096)
def required(expression: str) -> frozenset[str]:
    """Columns that cannot be null under this CHECK: ``x IS NOT NULL``, alone or joined by AND."""
    node = parse(expression)
    return frozenset() if node is None else frozenset(_required(node))


def _required(node: Node) -> set[str]:
    kind = node.WhichOneof("node")
    if kind == "null_test" and node.null_test.nulltesttype == IS_NOT_NULL:
        name = column_name(node.null_test.arg)
        return {name} if name is not None else set()
    if kind == "bool_expr" and node.bool_expr.boolop == AND_EXPR:
        return set().union(*map(_required, node.bool_expr.args))
    return set()


def uncast(node: Node) -> Node:
    """The node without the casts around it."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node


def function_of(node: Node) -> str | None:
    """The function that a node calls, without its schema; None if it is no call."""
    return str(node.func_call.funcname[-1].string.sval) if node.WhichOneof("node") == "func_call" else None


def constant_of(node: Node) -> str | None:
    """The text of a constant, maybe inside casts; None for any other node and for NULL."""
    node = uncast(node)
    if node.WhichOneof("node") != "a_const" or node.a_const.isnull:
        return None
    value = node.a_const
    match value.WhichOneof("val"):
        case "sval":
            return str(value.sval.sval)
        case "ival":
            return str(value.ival.ival)
        case "boolval":
            return "true" if value.boolval.boolval else "false"
        case "fval":
            return str(value.fval.fval)
    return None


def _allowed(node: Node) -> tuple[str, frozenset[str]] | None:
    kind = node.WhichOneof("node")
    if kind == "bool_expr" and node.bool_expr.boolop == OR_EXPR:
        return _any_of(list(node.bool_expr.args))
    if kind == "bool_expr" and node.bool_expr.boolop == AND_EXPR:
        return _between(list(node.bool_expr.args))
    return _listed(node.a_expr) if kind == "a_expr" else None


def _any_of(parts: list[Node]) -> tuple[str, frozenset[str]] | None:
    """``x = 1 OR x = 2 [OR x IS NULL]``; the null test does not matter, since a CHECK allows null anyway."""
    tests = [part.null_test for part in parts if part.WhichOneof("node") == "null_test"]
    items = [_allowed(part) for part in parts if part.WhichOneof("node") != "null_test"]
    names = {item[0] for item in items if item is not None}
    if None in items or len(names) != 1:
        return None
    # `OR y IS NULL` and `OR y IS NOT NULL` let every value of x through, where y is so.
    if any(test.nulltesttype == IS_NOT_NULL or column_name(uncast(test.arg)) not in names for test in tests):
        return None
    return names.pop(), frozenset().union(*(item[1] for item in items if item is not None))


def _listed(expression: A_Expr) -> tuple[str, frozenset[str]] | None:
    column = column_name(uncast(expression.lexpr))
    operator = expression.name[-1].string.sval
    if column is None or (operator != "=" and expression.kind != AEXPR_BETWEEN):
        return None
    values = _values(expression)
    return None if values is None else (column, values)


def _values(expression: A_Expr) -> frozenset[str] | None:
    right = uncast(expression.rexpr)
    if expression.kind == AEXPR_BETWEEN:
        low, high = map(constant_of, right.list.items)
        return _span(low, high)
    if expression.kind == AEXPR_IN:
        return _constants(list(right.list.items))
    if expression.kind == AEXPR_OP_ANY and right.WhichOneof("node") == "a_array_expr":
        return _constants(list(right.a_array_expr.elements))
    return _constants([right]) if expression.kind == AEXPR_OP else None


def _constants(nodes: list[Node]) -> frozenset[str] | None:
    values = [constant_of(node) for node in nodes]
    return None if None in values else frozenset(value for value in values if value is not None)


def _between(parts: list[Node]) -> tuple[str, frozenset[str]] | None:
    """``x >= 0 AND x <= 1``, which is the catalog's form of BETWEEN."""
    bounds: dict[str, str | None] = {}
    names = set()
    for part in parts:
        if part.WhichOneof("node") != "a_expr" or part.a_expr.kind != AEXPR_OP:
            return None
        names.add(column_name(uncast(part.a_expr.lexpr)))
        bounds[part.a_expr.name[-1].string.sval] = constant_of(part.a_expr.rexpr)
    column = names.pop() if len(names) == 1 else None
    values = _span(bounds.get(">="), bounds.get("<=")) if bounds.keys() == {">=", "<="} else None
    return None if column is None or values is None else (column, values)


def _span(low: str | None, high: str | None) -> frozenset[str] | None:
    if low is None or high is None or not (low.isdigit() and high.isdigit()) or int(high) - int(low) > 16:
        return None
    return frozenset(map(str, range(int(low), int(high) + 1)))
