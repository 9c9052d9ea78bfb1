"""SQL texts in an application, read by PostgreSQL's own parser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from alembic_pgpatterns.evidence.conditions import SWAPPED
from alembic_pgpatterns.evidence.model import Command, Condition, Lock, OrderKey, Use
from alembic_pgpatterns.evidence.scope import Conditions
from alembic_pgpatterns.evidence.symbols import PathCondition, TableShape
from alembic_pgpatterns.schema.sql.parser import pg, postgast

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|(?<![:\w]):(\w+)|%s")
"""Of SQLAlchemy's text(), of psycopg; made to ``$1`` before PostgreSQL's parser sees the text."""
_FIRST_WORDS = frozenset({"SELECT", "UPDATE", "DELETE", "WITH", "INSERT"})
_OPERATORS = {
    "=": Use.EQUAL, "<>": Use.NOT_EQUAL, "<": Use.RANGE, ">": Use.RANGE, "<=": Use.RANGE, ">=": Use.RANGE,
    "@>": Use.CONTAINS, "&&": Use.OVERLAP, "?": Use.KEY, "?|": Use.KEY, "?&": Use.KEY, "@@": Use.SEARCH,
    "~": Use.PATTERN, "~*": Use.PATTERN, "~~": Use.PATTERN, "~~*": Use.PATTERN, "@?": Use.CONTAINS,
}  # fmt: skip
_NONE: Mapping[int, bool | str] = MappingProxyType({})
_LOCKS: dict[int, Lock] = {4: "update", 3: "no key update", 2: "share", 1: "key share"}


def statement_shapes(text: str, line: int, constants: Mapping[int, bool | str] = _NONE) -> list[TableShape]:
    """What whole statements ask, a shape per table; none where it is no statement that reads or changes rows.

    Args:
        text: one statement, or several.
        line: where it is written, counted from 1.
        constants: values that parameters have in every call, by their numbers.
    """
    first = text.split(None, 1)[:1]
    if not first or first[0].upper() not in _FIRST_WORDS:
        return []
    tree = _parse(text)
    if tree is None:
        return []
    if constants:
        _fill(tree, constants)
    shapes = [shape for raw in tree.stmts for shape in _statement(raw.stmt, line)]
    if len(tree.stmts) == 1:
        for number, shape in enumerate(shapes):
            shape.text, shape.part, shape.alone = _numbered(text), number > 0, len(shapes) == 1
    return shapes


def _numbered(text: str) -> str:
    """The text with ``$n`` for its parameters, one number per name."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match[1] or match[2] or f"%{len(names)}"
        return f"${names.setdefault(name, len(names) + 1)}"

    return " ".join(_PLACEHOLDER.sub(number, text).replace("%%", "%").rstrip().rstrip(";").split())


def condition_shapes(text: str) -> Conditions | None:
    """A fragment such as ``name = :name`` as conditions on plain column names; None where it is none."""
    tree = _parse(f"SELECT WHERE {text}")
    if tree is None:
        return None
    conditions = list(_conditions(tree.stmts[0].stmt.select_stmt.where_clause, False))
    items = [
        PathCondition(
            f"?.{item.column}", item.use, item.literal, item.function, item.alternative, operator=item.operator
        )
        for _, item in conditions
    ]
    return Conditions(items)


def _fill(message: Any, constants: Mapping[int, bool | str]) -> None:
    """Put constants into a tree in place of their parameters."""
    for field, value in message.ListFields():
        for part in (value if field.is_repeated else (value,)) if field.type == field.TYPE_MESSAGE else ():
            is_parameter = isinstance(part, pg.Node) and part.HasField("param_ref")
            constant = constants.get(part.param_ref.number) if is_parameter else None
            if constant is None:
                _fill(part, constants)
            elif isinstance(constant, bool):
                part.a_const.boolval.boolval = constant  # clears param_ref: a node is one of its kinds
            else:
                part.a_const.sval.sval = constant


def _parse(text: str) -> Any | None:
    try:
        return postgast.parse(_PLACEHOLDER.sub("$1", text).replace("%%", "%"))
    except postgast.PgQueryError:
        return None


def _statement(node: Any, line: int) -> Iterator[TableShape]:
    kind = node.WhichOneof("node")
    if kind == "select_stmt":
        yield from _select(node.select_stmt, line)
    elif kind in ("update_stmt", "delete_stmt"):
        statement = getattr(node, kind)
        tables = {statement.relation.alias.aliasname or statement.relation.relname: _name(statement.relation)}
        command: Command = "update" if kind == "update_stmt" else "delete"
        assigned = tuple(item.res_target.name for item in statement.target_list) if command == "update" else ()
        for shape in _shapes(tables, list(_conditions(statement.where_clause, False)), [], line, command):
            shape.assigned = assigned if shape.command == command else ()
            yield shape
    elif kind == "insert_stmt":
        yield TableShape(line, _name(node.insert_stmt.relation), "insert", [], [])
        yield from _select(node.insert_stmt.select_stmt.select_stmt, line)


def _select(select: Any, line: int) -> Iterator[TableShape]:
    for expression in select.with_clause.ctes:
        yield from _statement(expression.common_table_expr.ctequery, line)
    if select.op != pg.SETOP_NONE and select.HasField("larg"):
        yield from _select(select.larg, line)
        yield from _select(select.rarg, line)
        return
    tables: dict[str, str] = {}
    joins: list[Any] = []
    for item in select.from_clause:
        _from(item, tables, joins)
    order = [key.sort_by for key in select.sort_clause if key.WhichOneof("node") == "sort_by"]
    conditions = [item for clause in (*joins, select.where_clause) for item in _conditions(clause, False)]
    for shape in _shapes(tables, conditions, order, line, "select"):
        shape.limit = select.HasField("limit_count")
        shape.offset = select.HasField("limit_offset")
        for clause in select.locking_clause:
            shape.lock = _LOCKS.get(clause.locking_clause.strength - 1, "")
            shape.skip_locked = clause.locking_clause.wait_policy == pg.LockWaitSkip
        yield shape


def _from(item: Any, tables: dict[str, str], joins: list[Any]) -> None:
    kind = item.WhichOneof("node")
    if kind == "range_var":
        tables[item.range_var.alias.aliasname or item.range_var.relname] = _name(item.range_var)
    elif kind == "join_expr":
        _from(item.join_expr.larg, tables, joins)
        _from(item.join_expr.rarg, tables, joins)
        joins.append(item.join_expr.quals)


def _name(relation: Any) -> str:
    return f"{relation.schemaname}.{relation.relname}" if relation.schemaname else str(relation.relname)


def _shapes(
    tables: dict[str, str], conditions: Sequence[tuple[str, Condition]], order: list[Any], line: int, command: Command
) -> Iterator[TableShape]:
    only = next(iter(tables), "") if len(tables) == 1 else ""
    for alias, table in tables.items():
        yield TableShape(
            line,
            table,
            command,
            [item for owner, item in conditions if (owner or only) == alias],
            [key for owner, key in map(_order_key, order) if key is not None and (owner or only) == alias],
        )


def _order_key(key: Any) -> tuple[str, OrderKey | None]:
    column = _column(key.node)
    if column is None:
        return "", None
    nulls = {pg.SORTBY_NULLS_FIRST: True, pg.SORTBY_NULLS_LAST: False}.get(key.sortby_nulls)
    return column[0], OrderKey(column[1], key.sortby_dir == pg.SORTBY_DESC, nulls, column[2])


def _column(node: Any) -> tuple[str, str, str] | None:
    """Qualifier, name and function of a column, through casts and calls of one argument."""
    kind = node.WhichOneof("node")
    if kind == "column_ref":
        names = [field.string.sval for field in node.column_ref.fields if field.WhichOneof("node") == "string"]
        return (names[-2] if len(names) > 1 else "", names[-1], "") if names else None
    if kind == "type_cast":
        inner = _column(node.type_cast.arg)
        return inner and (inner[0], inner[1], "cast")
    if kind == "func_call" and node.func_call.args:
        inner = next(filter(None, map(_column, node.func_call.args)), None)
        return inner and (inner[0], inner[1], node.func_call.funcname[-1].string.sval)
    if kind == "a_expr" and node.a_expr.name[-1].string.sval in ("->", "->>", "#>", "#>>"):
        inner = _column(node.a_expr.lexpr)
        return inner and (inner[0], inner[1], "->>")
    return None


def _conditions(node: Any, alternative: bool) -> Iterator[tuple[str, Condition]]:
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        branch = alternative or node.bool_expr.boolop == pg.OR_EXPR
        if node.bool_expr.boolop == pg.NOT_EXPR and (column := _column(node.bool_expr.args[0])):
            yield column[0], Condition(column[1], Use.EQUAL, "false", column[2], branch)
            return
        for item in node.bool_expr.args:
            yield from _conditions(item, branch)
    elif kind == "a_expr":
        yield from _comparison(node.a_expr, alternative)
    elif kind == "null_test" and (column := _column(node.null_test.arg)):
        use = Use.IS_NULL if node.null_test.nulltesttype == pg.IS_NULL else Use.IS_NOT_NULL
        yield column[0], Condition(column[1], use, None, column[2], alternative)
    elif kind == "boolean_test" and (column := _column(node.boolean_test.arg)):
        literal = {pg.IS_TRUE: "true", pg.IS_FALSE: "false"}.get(node.boolean_test.booltesttype)
        yield (
            column[0],
            Condition(column[1], Use.EQUAL, literal, column[2], alternative, operator="is" if literal else ""),
        )
    elif kind == "sub_link" and node.sub_link.HasField("testexpr") and (column := _column(node.sub_link.testexpr)):
        yield column[0], Condition(column[1], Use.MEMBER, None, column[2], alternative)
    elif kind is not None and (column := _column(node)):
        yield column[0], Condition(column[1], Use.EQUAL, "true", column[2], alternative)


def _comparison(expression: Any, alternative: bool) -> Iterator[tuple[str, Condition]]:
    left, right = _column(expression.lexpr), _column(expression.rexpr)
    operator = expression.name[-1].string.sval if expression.name else ""
    use = _use(expression, operator)
    if left and right:
        yield left[0], Condition(left[1], Use.JOIN, None, left[2], alternative)
        yield right[0], Condition(right[1], Use.JOIN, None, right[2], alternative)
        return
    column, other = (left, expression.rexpr) if left else (right, expression.lexpr)
    if column is None:
        return
    if column[2] == "->>":
        use, column = Use.PATH, (column[0], column[1], "")
    elif not left and expression.kind == pg.AEXPR_OP_ANY:
        use = Use.CONTAINS
    written = "between" if expression.kind == pg.AEXPR_BETWEEN else operator if left else SWAPPED.get(operator, "")
    compared = Condition(column[1], use, _literal(other), column[2], alternative)
    yield column[0], replace(compared, operator=written) if use is Use.RANGE else compared


def _use(expression: Any, operator: str) -> Use:
    if expression.kind in (pg.AEXPR_IN, pg.AEXPR_OP_ANY):
        return Use.MEMBER if operator == "=" else Use.NOT_EQUAL
    if expression.kind == pg.AEXPR_BETWEEN:
        return Use.RANGE
    if expression.kind == pg.AEXPR_LIKE:
        text = (_literal(expression.rexpr) or "'%").strip("'")
        return Use.PREFIX if text[:1] not in ("%", "_", "") else Use.PATTERN
    return _OPERATORS.get(operator, Use.OTHER)


def _literal(node: Any) -> str | None:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    if node.WhichOneof("node") != "a_const" or node.a_const.isnull:
        return None
    value = node.a_const
    match value.WhichOneof("val"):
        case "sval":
            return "'" + str(value.sval.sval).replace("'", "''") + "'"
        case "ival":
            return str(value.ival.ival)
        case "boolval":
            return "true" if value.boolval.boolval else "false"
        case "fval":
            return str(value.fval.fval)
    return None
