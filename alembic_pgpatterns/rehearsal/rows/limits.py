"""What conditions require of a single column, where they are simple. They are read from PostgreSQL's parse tree.

What is not understood here does no harm: the rows are tried on the server, and then other values are searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from postgast.pg_query_pb2 import (
    AEXPR_IN,
    AEXPR_LIKE,
    AEXPR_OP,
    AEXPR_OP_ANY,
    AND_EXPR,
    IS_NOT_NULL,
    IS_NULL,
    NOT_EXPR,
    OR_EXPR,
    Node,
)

from alembic_pgpatterns.schema.sql.expressions import column_name, parse

Constant = str | int | float | bool
LENGTHS = frozenset({"length", "char_length", "character_length", "octet_length"})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


@dataclass(frozen=True, slots=True)
class Limit:
    """The allowed values of a column: a choice, bounds, a length in characters, a regular expression, a JSON type."""

    choices: tuple[Constant, ...] | None = None
    low: Constant | None = None
    low_open: bool = False
    high: Constant | None = None
    high_open: bool = False
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    json_type: str | None = None
    not_null: bool = False


NO_LIMIT = Limit()


def limits(expressions: Iterable[str]) -> dict[str, Limit]:
    """The limits of each column, from conditions that must all be true."""
    result: dict[str, Limit] = {}
    for expression in expressions:
        node = parse(expression)
        for part in _conjuncts(node) if node is not None else ():
            for column, limit in limits_of_node(part):
                result[column] = narrowed(result.get(column, NO_LIMIT), limit)
    return result


def narrowed(first: Limit, second: Limit) -> Limit:
    """The values that both allow, as far as this module can compute them."""
    choices = first.choices if second.choices is None else second.choices
    if first.choices is not None and second.choices is not None:
        choices = tuple(item for item in first.choices if item in second.choices)
    low = second if _tighter(first.low, second.low, larger=True) else first
    high = second if _tighter(first.high, second.high, larger=False) else first
    lengths = [n for n in (first.max_length, second.max_length) if n is not None]
    return Limit(
        choices=choices,
        low=low.low,
        low_open=low.low_open,
        high=high.high,
        high_open=high.high_open,
        min_length=max((n for n in (first.min_length, second.min_length) if n is not None), default=None),
        max_length=min(lengths, default=None),
        pattern=first.pattern or second.pattern,
        json_type=first.json_type or second.json_type,
        not_null=first.not_null or second.not_null,
    )


def _tighter(first: Constant | None, second: Constant | None, larger: bool) -> bool:
    if second is None or first is None:
        return second is not None
    # Dates and times are texts here, in ISO form, whose order as texts is that of time.
    if isinstance(first, str) or isinstance(second, str):
        return (str(second) > str(first)) == larger
    return (second > first) == larger


def constants(expression: str) -> tuple[Constant, ...]:
    """All constants in an expression, each once."""
    node = parse(expression)
    values = [value for item in _walk(node) if (value := constant(item)) is not None] if node is not None else []
    return tuple({(type(value), value): value for value in values}.values())


def constants_beside(expression: str, column: str) -> tuple[Constant, ...]:
    """The constants in one comparison or call with a column, each once."""
    node = parse(expression)
    result: dict[tuple[type, Constant], Constant] = {}
    for item in _walk(node) if node is not None else ():
        parts = list(_walk(item)) if item.WhichOneof("node") == "a_expr" else []
        plain = not any(part.WhichOneof("node") == "bool_expr" for part in parts)
        if plain and any(column_name(part) == column for part in parts):
            result |= {(type(v), v): v for part in parts if (v := constant(part)) is not None}
    return tuple(result.values())


def _walk(message: Any) -> Iterator[Node]:
    if isinstance(message, Node):
        yield message
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            items = (value,) if hasattr(value, "ListFields") else value
            for item in items:
                yield from _walk(item)


def stripped(node: Node) -> Node:
    """The node without casts and collations around it."""
    while node.WhichOneof("node") in ("type_cast", "collate_clause"):
        node = node.type_cast.arg if node.WhichOneof("node") == "type_cast" else node.collate_clause.arg
    return node


def constant(node: Node) -> Constant | None:
    """The value of a constant, through casts; None if the node is anything else, or NULL."""
    node = stripped(node)
    if node.WhichOneof("node") == "a_expr" and node.a_expr.kind == AEXPR_OP and not node.a_expr.HasField("lexpr"):
        value = constant(node.a_expr.rexpr)
        minus = node.a_expr.name[0].string.sval == "-"
        return -value if minus and isinstance(value, (int, float)) else None
    if node.WhichOneof("node") != "a_const" or node.a_const.isnull:
        return None
    return _value(node.a_const)


def _value(item: Any) -> Constant | None:
    kind = item.WhichOneof("val")
    if kind == "ival":
        return int(item.ival.ival)
    if kind == "fval":
        text = str(item.fval.fval)
        # To the lexer whole numbers of more than 32 bits are floats.
        return int(text) if text.lstrip("-").isdigit() else float(text)
    if kind == "boolval":
        return bool(item.boolval.boolval)
    return str(item.sval.sval) if kind == "sval" else None


def _conjuncts(node: Node) -> Iterator[Node]:
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == AND_EXPR:
        for part in node.bool_expr.args:
            yield from _conjuncts(part)
    else:
        yield node


def limits_of_node(node: Node) -> Iterator[tuple[str, Limit]]:
    """The limits that one part of a condition sets."""
    kind = node.WhichOneof("node")
    if kind == "a_expr":
        yield from _of_operator(node.a_expr)
    elif kind == "null_test" and node.null_test.nulltesttype == IS_NOT_NULL:
        column = column_name(node.null_test.arg)
        if column is not None:
            yield column, Limit(not_null=True)
    elif kind == "bool_expr" and node.bool_expr.boolop == OR_EXPR:
        yield from _of_alternatives(node.bool_expr.args)
    elif kind == "bool_expr" and node.bool_expr.boolop == NOT_EXPR:
        return
    elif (column := column_name(node)) is not None:
        yield column, Limit(choices=(True,))


def _of_alternatives(parts: Iterable[Node]) -> Iterator[tuple[str, Limit]]:
    """Equalities of one column joined by OR are a choice; ``c IS NULL OR …`` is the other branch."""
    rest = [part for part in parts if not _tests_null(part)]
    inner = [list(limits_of_node(part)) for part in rest]
    if len(inner) == 1:
        yield from ((column, replace(limit, not_null=False)) for column, limit in inner[0])
    elif inner and all(len(item) == 1 and item[0][1].choices is not None for item in inner):
        columns = {item[0][0] for item in inner}
        if len(columns) == 1:
            yield columns.pop(), Limit(choices=tuple(c for item in inner for c in item[0][1].choices or ()))


def _tests_null(node: Node) -> bool:
    return bool(node.WhichOneof("node") == "null_test" and node.null_test.nulltesttype == IS_NULL)


def _of_operator(expression: Any) -> Iterator[tuple[str, Limit]]:
    operator = expression.name[-1].string.sval
    left, right = stripped(expression.lexpr), stripped(expression.rexpr)
    # In the catalog IN (…) has become = ANY (ARRAY[…]).
    if expression.kind in (AEXPR_IN, AEXPR_OP_ANY) and operator == "=":
        column, choices = column_name(left), _elements(right)
        if column is not None and choices:
            yield column, Limit(choices=choices)
        return
    if expression.kind not in (AEXPR_OP, AEXPR_LIKE):
        return
    value, subject = constant(right), left
    if value is None:
        value, subject, operator = constant(left), right, _MIRRORED.get(operator, "")
    if value is not None:
        yield from _compared(subject, operator, value)


def _elements(node: Node) -> tuple[Constant, ...]:
    """The constants of ``ARRAY[…]``, of ``'{a,b}'`` and of a list; none if one of them is not constant."""
    kind = node.WhichOneof("node")
    items = node.a_array_expr.elements if kind == "a_array_expr" else node.list.items if kind == "list" else ()
    values = [constant(item) for item in items]
    if kind == "a_const":
        text = constant(node)
        # With quotes or backslashes it would need all rules of array syntax (docs, "Array Input and Output Syntax").
        plain = isinstance(text, str) and text.startswith("{") and '"' not in text and "\\" not in text
        return tuple(str(text)[1:-1].split(",")) if plain else ()
    return tuple(value for value in values if value is not None) if None not in values else ()


def _compared(subject: Node, operator: str, value: Constant) -> Iterator[tuple[str, Limit]]:
    column = column_name(subject)
    if column is not None:
        limit = _of_value(operator, value)
        if limit is not None:
            yield column, limit
    elif subject.WhichOneof("node") == "func_call" and len(subject.func_call.args) == 1:
        function = subject.func_call.funcname[-1].string.sval
        column = column_name(stripped(subject.func_call.args[0]))
        if column is not None:
            yield column, _of_function(function, operator, value)


def _of_value(operator: str, value: Constant) -> Limit | None:
    if operator in (">", ">="):
        return Limit(low=value, low_open=operator == ">")
    if operator in ("<", "<="):
        return Limit(high=value, high_open=operator == "<")
    if operator == "=":
        return Limit(choices=(value,))
    if operator == "<>" and value == "":
        return Limit(min_length=1)
    if operator in ("~", "~*") and isinstance(value, str):
        return Limit(pattern=value)
    return None


def _of_function(function: str, operator: str, value: Constant) -> Limit:
    if function in ("jsonb_typeof", "json_typeof") and operator == "=":
        return Limit(json_type=str(value))
    if function not in LENGTHS or isinstance(value, (str, bool)):
        return NO_LIMIT
    length = int(value)
    low = {">": length + 1, ">=": length, "=": length}.get(operator)
    high = {"<": length - 1, "<=": length, "=": length}.get(operator)
    return Limit(min_length=low, max_length=high)


@lru_cache(maxsize=1024)
def domain_condition(expression: str, column: str) -> str | None:
    """A domain's condition over VALUE as a condition over a column; None if it does not parse."""
    import postgast

    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return None
    # PostgreSQL prints the value of a domain as VALUE, which the parser takes for a column.
    for node in _walk(tree):
        if node.WhichOneof("node") == "column_ref" and column_name(node) == "value":
            node.column_ref.fields[-1].string.sval = column
    return str(postgast.deparse(tree)).removeprefix("SELECT ")
