"""The SQL inside PL/pgSQL: in a DO block, or in a function that a statement creates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast

# RawParseMode in PostgreSQL's parser.h: a statement, a type, an expression; 3 to 5 are assignments.
_STATEMENT, _EXPRESSION = 0, 2
_PLACEHOLDER = "pgpatterns_placeholder"
"""In the text of EXECUTE, stands for a part that is only known at run time: a variable, an argument of format()."""

_FORMAT = re.compile(r"%(?:\d+\$)?-?\d*([sIL%])")
"""A placeholder in the template of `format()` (PostgreSQL docs, "String Functions", format)."""


def inner_statements(text: str) -> Iterator[str]:
    """The SQL statements in the body of ``text``, a DO block or CREATE FUNCTION in PL/pgSQL.

    An expression is returned as a SELECT. The text of EXECUTE is returned as far as it consists of constants. There are
    no statements if the body is in another language, or if the parser does not understand it.
    """
    try:
        functions = postgast.parse_plpgsql(text)
    except postgast.PgQueryError:
        return
    for node in _nodes(functions):
        if "PLpgSQL_stmt_dynexecute" in node:
            yield from _dynamic(node["PLpgSQL_stmt_dynexecute"])
        elif "PLpgSQL_expr" in node:
            yield from _static(node["PLpgSQL_expr"])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


def _static(expression: dict[str, Any]) -> Iterator[str]:
    mode, query = expression.get("parseMode", _STATEMENT), expression.get("query", "")
    if mode == _STATEMENT:
        yield query
    elif mode == _EXPRESSION:
        yield f"SELECT {query}"
    else:
        yield f"SELECT {_assigned(query)}"


def _assigned(query: str) -> str:
    """The right side of an assignment."""
    raw = query.encode()
    for token in postgast.scan(query).tokens:
        if token.token in (pg.COLON_EQUALS, pg.ASCII_61):
            return raw[token.end :].decode()
    return query


def _dynamic(execute: dict[str, Any]) -> Iterator[str]:
    query = execute["query"]["PLpgSQL_expr"]["query"]
    try:
        select = postgast.parse(f"SELECT {query}").stmts[0].stmt.select_stmt
    except postgast.PgQueryError:
        return
    yield _constant(select.target_list[0].res_target.val)


def _constant(node: Any) -> str:
    """The text of an expression, with a placeholder for each part that is not a constant."""
    kind = node.WhichOneof("node")
    if kind == "a_const" and node.a_const.HasField("sval"):
        return str(node.a_const.sval.sval)
    if kind == "a_expr" and node.a_expr.name[-1].string.sval == "||":
        return _constant(node.a_expr.lexpr) + _constant(node.a_expr.rexpr)
    if kind == "func_call" and node.func_call.funcname[-1].string.sval == "format" and node.func_call.args:
        return _FORMAT.sub(_filled, _constant(node.func_call.args[0]))
    return _PLACEHOLDER


def _filled(place: re.Match[str]) -> str:
    return {"%": "%", "L": f"'{_PLACEHOLDER}'"}.get(place[1], _PLACEHOLDER)
