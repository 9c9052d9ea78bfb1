"""The ways in which a condition can be true, read from its parse tree: what each one requires of the columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from postgast.pg_query_pb2 import AND_EXPR, IS_FALSE, IS_NULL, IS_TRUE, NOT_EXPR, Node

from alembic_pgpatterns.rehearsal.rows.limits import limits_of_node
from alembic_pgpatterns.rehearsal.rows.tables import FREE, NULL, Constant, Entry
from alembic_pgpatterns.schema.sql.expressions import column_name, parse

MOST = 400
"""Most ways of a condition."""
CHOICES = 3
"""Most values of a choice."""
Way = Mapping[str, Entry]


def ways(expressions: Sequence[str]) -> list[Way]:
    """Combinations that may satisfy all conditions; whatever else a part requires is left to the trial."""
    result: list[Way] = [{}]
    for expression in expressions:
        node = parse(expression)
        if node is not None:
            result = _merged(result, _ways(node))
    return result


def _merged(first: Iterable[Way], second: Sequence[Way]) -> list[Way]:
    """Each pair of ways that do not contradict each other."""
    result: list[Way] = []
    for way in first:
        for other in second:
            if all(_agree(way.get(name, entry), entry) for name, entry in other.items()):
                result.append({**other, **{k: v for k, v in way.items() if not (v == FREE and k in other)}})
            if len(result) >= MOST:
                return result
    return result


def _agree(entry: Entry, other: Entry) -> bool:
    return entry == other or (entry == FREE and other != NULL) or (other == FREE and entry != NULL)


def _ways(node: Node) -> list[Way]:
    kind = node.WhichOneof("node")
    if kind == "bool_expr" and node.bool_expr.boolop == AND_EXPR:
        result: list[Way] = [{}]
        for part in node.bool_expr.args:
            result = _merged(result, _ways(part))
        return result
    if kind == "bool_expr" and node.bool_expr.boolop != NOT_EXPR:
        return [way for part in node.bool_expr.args for way in _ways(part)][:MOST]
    return _of_leaf(node, kind)


def _of_leaf(node: Node, kind: str | None) -> list[Way]:
    if kind == "null_test":
        column = column_name(node.null_test.arg)
        is_null = node.null_test.nulltesttype == IS_NULL
        return [{column: NULL if is_null else FREE}] if column is not None else [{}]
    if kind == "boolean_test" and node.boolean_test.booltesttype in (IS_TRUE, IS_FALSE):
        column = column_name(node.boolean_test.arg)
        value = "true" if node.boolean_test.booltesttype == IS_TRUE else "false"
        return [{column: Constant(value)}] if column is not None else [{}]
    if kind == "bool_expr":
        column = column_name(node.bool_expr.args[0])
        return [{column: Constant("false")}] if column is not None else [{}]
    for column, limit in limits_of_node(node):
        if limit.choices is not None:
            texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in limit.choices]
            chosen: list[Way] = [{column: Constant(text)} for text in texts[:CHOICES]]
            return chosen
        return [{column: FREE}]
    return [{}]
