"""Questions about SQL expressions, answered from PostgreSQL's own parse tree (libpg_query), never by matching text."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import literal
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.schema.sql.parser import (
    AND_EXPR,
    IS_NOT_NULL,
    IS_NULL,
    SVFOP_CURRENT_TIMESTAMP,
    SVFOP_CURRENT_TIMESTAMP_N,
    SVFOP_LOCALTIMESTAMP,
    SVFOP_LOCALTIMESTAMP_N,
    A_Const,
    FuncCall,
    Node,
    ParamRef,
    postgast,
)

_dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]

CLOCKS = frozenset({"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"})
CLOCK_KEYWORDS = frozenset(
    {SVFOP_CURRENT_TIMESTAMP, SVFOP_CURRENT_TIMESTAMP_N, SVFOP_LOCALTIMESTAMP, SVFOP_LOCALTIMESTAMP_N}
)
"""From the docs, "Date/Time Functions and Operators", section "Current Date/Time"."""


@lru_cache(maxsize=4096)
def parse(expression: str) -> Node | None:
    """The parse tree of one SQL expression; None if it is not one."""
    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return None
    targets = tree.stmts[0].stmt.select_stmt.target_list
    return targets[0].res_target.val if len(targets) == 1 else None


@lru_cache(maxsize=4096)
def canonical(expression: str) -> str:
    """The expression in a normal form, without unnecessary parentheses; unchanged if it does not parse."""
    try:
        return str(postgast.deparse(postgast.parse(f"SELECT {expression}"))).removeprefix("SELECT ")
    except postgast.PgQueryError:
        return expression


def column_name(node: Node) -> str | None:
    """The column that a node names, without its table; None for any other node."""
    if node.WhichOneof("node") != "column_ref":
        return None
    last = node.column_ref.fields[-1]
    return last.string.sval if last.WhichOneof("node") == "string" else None


@lru_cache(maxsize=4096)
def not_null_columns(expression: str) -> frozenset[str]:
    """The columns of an expression that consists only of ``c IS NOT NULL``, alone or joined by AND; else none."""
    parts = conjuncts(expression)
    tested = [_null_tested(part, IS_NOT_NULL) for part in parts]
    return frozenset() if None in tested else frozenset(name for name in tested if name is not None)


@lru_cache(maxsize=4096)
def needed_columns(expression: str) -> frozenset[str]:
    """Columns with which the expression is false when they are null: its ``c IS NOT NULL``, alone or joined by AND.

    A comparison with NULL is not false but null, which a CHECK accepts (docs, "Check Constraints").
    """
    tested = (_null_tested(part, IS_NOT_NULL) for part in conjuncts(expression))
    return frozenset(name for name in tested if name is not None)


@lru_cache(maxsize=4096)
def null_columns(expression: str) -> frozenset[str]:
    """Columns that are null whenever the expression is true: its ``c IS NULL``, alone or joined by AND."""
    tested = (_null_tested(part, IS_NULL) for part in conjuncts(expression))
    return frozenset(name for name in tested if name is not None)


@lru_cache(maxsize=4096)
def string_constants(expression: str) -> frozenset[str]:
    """All string constants in the expression; none if it does not parse."""
    node = parse(expression)
    constants = postgast.find_nodes(node, A_Const) if node is not None else ()
    return frozenset(item.sval.sval for item in constants if item.HasField("sval"))


@lru_cache(maxsize=4096)
def has_parameter(expression: str) -> bool:
    """Whether the expression has a parameter, such as ``$1``; true also if it does not parse."""
    node = parse(expression)
    return node is None or any(True for _ in postgast.find_nodes(node, ParamRef))


@lru_cache(maxsize=4096)
def zones_of(expression: str) -> frozenset[str | None]:
    """The time zones of an expression that converts to one or from one: ``AT TIME ZONE 'UTC'``, ``timezone('UTC', x)``.

    Returns:
        The names, in lower case; None for a zone that is not a constant. Nothing if nothing is converted, or if this is
        not one expression.
    """
    node = parse(expression)
    if node is None:
        return frozenset()
    calls = [call for call in postgast.find_nodes(node, FuncCall) if call.funcname[-1].string.sval == "timezone"]
    return frozenset(_constant_text(call.args[0]) if len(call.args) == 2 else None for call in calls)


def _constant_text(node: Node) -> str | None:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node.a_const.sval.sval.lower() or None


@lru_cache(maxsize=4096)
def is_now(expression: str) -> bool:
    """Whether the whole expression is the current time, maybe inside casts."""
    node = parse(expression)
    while node is not None and node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    kind = None if node is None else node.WhichOneof("node")
    if node is None or kind not in ("func_call", "sqlvalue_function"):
        return False
    if kind == "func_call":
        return node.func_call.funcname[-1].string.sval in CLOCKS
    return node.sqlvalue_function.op in CLOCK_KEYWORDS


def text_literal(value: str) -> str:
    """The text as an SQL constant."""
    return str(literal(value).compile(dialect=_dialect, compile_kwargs={"literal_binds": True}))


def conjuncts(expression: str) -> list[Node]:
    """The conditions that AND joins; one if there is no AND, none if the expression does not parse."""
    node = parse(expression)
    waiting, result = [] if node is None else [node], []
    while waiting:
        part = waiting.pop()
        if part.WhichOneof("node") == "bool_expr" and part.bool_expr.boolop == AND_EXPR:
            waiting.extend(part.bool_expr.args)
        else:
            result.append(part)
    return result


def _null_tested(node: Node, test: int) -> str | None:
    if node.WhichOneof("node") != "null_test" or node.null_test.nulltesttype != test:
        return None
    return column_name(node.null_test.arg)
