"""The SQL inside PL/pgSQL: in a DO block, or in a function that a statement creates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from alembic_pgpatterns.schema.sql.parser import pg, postgast

# RawParseMode in PostgreSQL's parser.h: a statement, a type, an expression; 3 to 5 are assignments.
_STATEMENT, _EXPRESSION = 0, 2
PLACEHOLDER = "pgpatterns_placeholder"
"""In the text of EXECUTE, stands for a part that is only known at run time: a variable, an argument of format()."""

_TRIGGER_VARIABLE = re.compile(r"(?<=[\[,])\{\}\}(?=[,\]])")
_FORMAT = re.compile(r"%(?:\d+\$)?-?\d*([sIL%])")
"""A placeholder in the template of `format()` (PostgreSQL docs, "String Functions", format)."""


def inner_statements(text: str) -> Iterator[str]:
    """The SQL statements in the body of ``text``, a DO block or CREATE FUNCTION in PL/pgSQL.

    An expression is returned as a SELECT. The text of EXECUTE is returned as far as it consists of constants. There are
    no statements if the body is in another language, or if the parser does not understand it.
    """
    for node in _nodes(_parsed(text)):
        if "PLpgSQL_stmt_dynexecute" in node:
            yield from _dynamic(node["PLpgSQL_stmt_dynexecute"])
        elif "PLpgSQL_expr" in node:
            yield from _static(node["PLpgSQL_expr"])


def bodies(statement: Any) -> Iterator[str]:
    """The SQL inside a DO block or a function that is created, in PL/pgSQL or SQL; nothing for other statements."""
    kind = statement.WhichOneof("node")
    if kind == "create_function_stmt":
        # In the language SQL the body is SQL as it is; in PL/pgSQL this does not parse.
        options = (option.def_elem for option in statement.create_function_stmt.options)
        yield from (item.arg.list.items[0].string.sval for item in options if item.defname == "as")
    if kind in ("do_stmt", "create_function_stmt"):
        yield from inner_statements(_text(statement))


def executed_constants(statement: Any) -> Iterator[list[str]]:
    """For each EXECUTE in a DO block or function, the text constants of what it executes."""
    if statement.WhichOneof("node") not in ("do_stmt", "create_function_stmt"):
        return
    for node in _nodes(_parsed(_text(statement))):
        if "PLpgSQL_stmt_dynexecute" in node:
            query = node["PLpgSQL_stmt_dynexecute"]["query"]["PLpgSQL_expr"]["query"]
            try:
                tree = postgast.parse(f"SELECT {query}")
            except postgast.PgQueryError:
                continue
            yield [
                constant.sval.sval for constant in postgast.find_nodes(tree, pg.A_Const) if constant.HasField("sval")
            ]


def is_readable(statement: Any) -> bool:
    """Whether the body of a DO block or function is PL/pgSQL that the parser understands."""
    if statement.WhichOneof("node") == "do_stmt":
        options = [option.def_elem for option in statement.do_stmt.args]
    else:
        options = [option.def_elem for option in statement.create_function_stmt.options]
    languages = [option.arg.string.sval.lower() for option in options if option.defname == "language"]
    # The parser reads the body of any language as PL/pgSQL, or skips it.
    return languages in ([], ["plpgsql"]) and bool(_parsed(_text(statement)))


def columns_of_new(text: str) -> frozenset[str] | None:
    """The columns of NEW that the trigger function of a CREATE FUNCTION names, so that it may set them.

    None if that is not known: it is not written in PL/pgSQL, or it sets or returns a whole row.
    """
    try:
        (statement,) = (item.stmt for item in postgast.parse(text).stmts)
    except postgast.PgQueryError:
        return None
    nodes = list(_nodes(_parsed(text)))
    if not is_readable(statement) or any(_sets_row(node) for node in nodes):
        return None
    fields = [node["PLpgSQL_recfield"] for node in nodes if "PLpgSQL_recfield" in node]
    # Zeros are left out, and NEW is number 0.
    return frozenset(field["fieldname"] for field in fields if not field.get("recparentno"))


def _sets_row(node: dict[str, Any]) -> bool:
    """Whether a part of a trigger function may set NEW as a whole or return another row."""
    if "PLpgSQL_stmt_assign" in node:
        return not node["PLpgSQL_stmt_assign"].get("varno")
    if "PLpgSQL_rec" in node:
        # RETURN does not tell which row it returns: any variable may be it. The list of variables has NEW, too.
        return node["PLpgSQL_rec"]["refname"] not in ("new", "old")
    if "PLpgSQL_stmt_return" in node:
        return "expr" in node["PLpgSQL_stmt_return"]
    targets = [part.get(name, {}) for part in node.values() if isinstance(part, dict) for name in ("target", "var")]
    whole = any(isinstance(target, dict) and "PLpgSQL_rec" in target for target in targets)
    # A procedure's arguments may be set by it.
    return whole or "PLpgSQL_stmt_call" in node


def _parsed(text: str) -> Any:
    """The tree of a DO block or function; empty if the parser does not understand it."""
    try:
        return postgast.parse_plpgsql(text)
    except postgast.PgQueryError:
        return []
    except json.JSONDecodeError as error:
        # For a trigger function, libpg_query 17 writes one brace too many for TG_OP and its like in the list of
        # variables; elsewhere an empty object follows a colon.
        try:
            return json.loads(_TRIGGER_VARIABLE.sub("{}", error.doc))
        except json.JSONDecodeError:
            return []


def _text(statement: Any) -> str:
    single = pg.ParseResult()
    single.stmts.add().stmt.CopyFrom(statement)
    return str(postgast.deparse(single))


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
    return PLACEHOLDER


def _filled(place: re.Match[str]) -> str:
    return {"%": "%", "L": f"'{PLACEHOLDER}'"}.get(place[1], PLACEHOLDER)
