"""Variants of a statement's text for planning, made in its parse tree. Parameters keep their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from alembic_pgpatterns.advisor.planner import as_text
from alembic_pgpatterns.schema.sql.parser import pg, postgast
from alembic_pgpatterns.workload.literals import is_literal
from alembic_pgpatterns.workload.model import Recorded

USUAL_LIMIT = 50
"""Rows of a LIMIT that is a parameter: a generic plan would take it for a tenth of all rows."""
_COMPARING = frozenset(
    {"=", "<>", "<", "<=", ">", ">=", "@>", "<@", "&&", "@@", "@?", "?", "?|", "?&", "~~", "~~*", "!~~", "!~~*", "~"}
)
_KEYS = frozenset({"->", "->>", "#>", "#>>"})
_RANGE = frozenset({"<", "<=", ">", ">="})


@lru_cache(maxsize=4096)
def limit_parameters(text: str) -> frozenset[int]:
    """Numbers of the parameters that are LIMIT or OFFSET."""
    numbers: set[int] = set()
    for select in postgast.find_nodes(postgast.parse(text), pg.SelectStmt):
        for name in ("limit_count", "limit_offset"):
            if select.HasField(name):
                numbers |= _numbers(getattr(select, name))
    return frozenset(numbers)


@lru_cache(maxsize=4096)
def with_limits(text: str, limit: int = USUAL_LIMIT) -> str:
    """The statement with a number for each LIMIT and OFFSET that is a parameter."""
    if not limit_parameters(text):
        return text
    tree = postgast.parse(text)
    for select in postgast.find_nodes(tree, pg.SelectStmt):
        for name, value in (("limit_count", limit), ("limit_offset", 0)):
            if select.HasField(name) and _numbers(getattr(select, name)):
                getattr(select, name).CopyFrom(pg.Node(a_const=pg.A_Const(ival=pg.Integer(ival=value))))
    return str(postgast.deparse(tree))


def unlimited(text: str) -> str:
    """The statement without a LIMIT that is a number: where few rows match, it may have to read all of them."""
    tree = postgast.parse(text)
    select = tree.stmts[0].stmt.select_stmt
    if not select.HasField("limit_count") or _numbers(select.limit_count):
        return text
    select.limit_count.CopyFrom(_constant(None))
    return str(postgast.deparse(tree))


def with_fixed(statement: Recorded, from_production: bool) -> str:
    """The statement with the values of parameters in expressions such as ``details ->> $1``, which no index has.

    Only values that never change: the application names them, or all calls have sent them and its source is not there.
    """
    within = _within_expressions(statement.text)
    values = {number: value for number in within if (value := _fixed(statement, number, from_production)) is not None}
    return with_values(statement.text, values) if values else statement.text


def with_values(text: str, values: Mapping[int, object]) -> str:
    """The statement with constants for some of its parameters."""
    tree = postgast.parse(text)
    for node in _parameters(tree):
        number = int(node.param_ref.number)
        if number in values:
            node.CopyFrom(_constant(values[number]))
    return str(postgast.deparse(tree))


def _constant(value: object) -> Any:
    text = as_text(value)
    constant = pg.A_Const(isnull=True) if text is None else pg.A_Const(sval=pg.String(sval=text.decode()))
    return pg.Node(a_const=constant)


def _fixed(statement: Recorded, number: int, from_production: bool) -> object | None:
    values = [sample[number - 1] for sample in statement.values if len(sample) >= number]
    if not values or values[0] is None or any(value != values[0] for value in values):
        return None
    if number in _document_keys(statement.text):
        return values[0]  # keys are names, which tests do not make up
    named = is_literal(statement, values[0])
    steady = from_production and number - 1 in statement.constant
    return values[0] if named or steady or named is None else None


@lru_cache(maxsize=4096)
def _document_keys(text: str) -> frozenset[int]:
    """Numbers of the parameters that are keys of documents: ``attributes ->> $1``."""
    nodes = postgast.find_nodes(postgast.parse(text), pg.A_Expr)
    keys = (node.rexpr for node in nodes if node.name and node.name[-1].string.sval in _KEYS)
    return frozenset().union(*(_numbers(key) for key in keys))


@lru_cache(maxsize=4096)
def _within_expressions(text: str) -> frozenset[int]:
    numbers: set[int] = set()
    tree = postgast.parse(text)
    for kind in (pg.FuncCall, pg.A_Expr, pg.CoalesceExpr):
        for node in postgast.find_nodes(tree, kind):
            comparing = kind is pg.A_Expr and (not node.name or node.name[-1].string.sval in _COMPARING)
            if not comparing and _any(node, pg.ColumnRef) and not _any(node, pg.SubLink):
                numbers |= _numbers(node)
    return frozenset(numbers)


@lru_cache(maxsize=4096)
def range_parameters(text: str) -> frozenset[int]:
    """Numbers of the parameters that bound a range."""
    numbers: set[int] = set()
    for node in postgast.find_nodes(postgast.parse(text), pg.A_Expr):
        between = node.kind in (pg.AEXPR_BETWEEN, pg.AEXPR_BETWEEN_SYM)
        if between or (node.kind == pg.AEXPR_OP and node.name and node.name[-1].string.sval in _RANGE):
            numbers |= _numbers(node) if not _any(node, pg.SubLink) else set()
    return frozenset(numbers)


def _numbers(node: Any) -> set[int]:
    references: Any = postgast.find_nodes(node, pg.ParamRef)
    return {int(reference.number) for reference in references}


def _any(node: Any, kind: Any) -> bool:
    return next(iter(postgast.find_nodes(node, kind)), None) is not None


def _parameters(message: Any) -> Iterator[Any]:
    """The nodes that contain a parameter, so that it can be replaced."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        for descriptor, value in part.ListFields():
            if descriptor.type != descriptor.TYPE_MESSAGE:
                continue
            for item in value if descriptor.is_repeated else (value,):
                if descriptor.message_type.name == "Node" and item.WhichOneof("node") == "param_ref":
                    yield item
                else:
                    waiting.append(item)
