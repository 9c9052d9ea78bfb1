"""Policy expressions as parse trees: what refers to the row, what is called once a row, how to wrap it.

The trees are libpg_query's. In what the catalog prints, every column inside a sub-select is qualified by the alias it
comes from, so that a reference to the policy's own row can be told from one to the sub-select's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import postgast
from postgast.pg_query_pb2 import AEXPR_OP, AEXPR_OP_ALL, AEXPR_OP_ANY, AND_EXPR, EXPR_SUBLINK, OR_EXPR, Node

from alembic_pgpatterns.schema.expressions import parse

Wanted = Callable[[tuple[str, ...]], bool]
"""Whether a function of that name, as written and split at its dots, is one that is meant."""

SCALARS = frozenset(
    {
        "a_array_expr", "a_expr", "a_indirection", "bool_expr", "boolean_test", "case_expr", "coalesce_expr",
        "collate_clause", "func_call", "json_func_expr", "min_max_expr", "null_test", "row_expr", "type_cast",
        "xml_expr",
    }
)  # fmt: skip
"""Nodes that stand for one value, so that ``(SELECT node)`` may take their place."""

PLACES = ("location", "list_start", "list_end", "stmt_len")
"""How fields end that say where in the text a node was read."""


def kind_of(message: Any) -> str | None:
    """Which node of the grammar a Node holds; None for any other message."""
    found: str | None = message.WhichOneof("node") if message.DESCRIPTOR.name == "Node" else None
    return found


def children(message: Any) -> Iterator[Any]:
    """The messages directly inside a message, in the grammar's order."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            yield from (value,) if hasattr(value, "DESCRIPTOR") else value


def of_row(message: Any) -> bool:
    """Whether its value depends on a row: it names a column that none of its own sub-selects brings along."""
    return bool(_unbound(message))


def _unbound(message: Any) -> set[str]:
    """Qualifiers of the columns it names and does not bring along; '' for a column without one."""
    name = message.DESCRIPTOR.name
    if name == "ColumnRef":
        return {_qualifier(message)}
    found = set().union(*map(_unbound, children(message)))
    if name != "SelectStmt":
        return found
    brought = set(_aliases(message))
    return found - brought - ({""} if brought else set())


def _qualifier(reference: Any) -> str:
    return reference.fields[-2].string.sval if len(reference.fields) > 1 else ""


def _aliases(select: Any) -> Iterator[str]:
    """The names a SELECT's own FROM brings, and those of both sides of a UNION."""
    waiting = list(select.from_clause)
    while waiting:
        item = waiting.pop()
        if kind_of(item) == "join_expr":
            waiting.extend((item.join_expr.larg, item.join_expr.rarg))
            yield item.join_expr.alias.aliasname
        else:
            source = getattr(item, kind_of(item) or "")
            yield source.alias.aliasname or getattr(source, "relname", "")


def calls(message: Any, wanted: Wanted) -> Iterator[tuple[str, ...]]:
    """Names of the wanted functions it calls outside of uncorrelated sub-selects, which run once a query."""
    if message.DESCRIPTOR.name == "FuncCall" and wanted(_name(message)):
        yield _name(message)
    for child in _evaluated(message):
        yield from calls(child, wanted)


def _name(call: Any) -> tuple[str, ...]:
    return tuple(part.string.sval for part in call.funcname)


def _evaluated(message: Any) -> Iterator[Any]:
    """Children that are evaluated as often as the message itself.

    Not among them: an uncorrelated sub-select, and a function in FROM, whose rows are kept from one run of a
    sub-select to the next.
    """
    for child in children(message):
        once = kind_of(child) == "select_stmt" and message.DESCRIPTOR.name == "SubLink" and not of_row(child)
        if not once and child.DESCRIPTOR.name != "RangeFunction":
            yield child


@dataclass(frozen=True, slots=True)
class Part:
    """A node to be wrapped. ``array``: it stands right of ANY or ALL."""

    node: Any
    array: bool

    @property
    def typed(self) -> bool:
        """Whether it can be wrapped: ``ANY ((SELECT …))`` reads rows, so an array needs a cast around it."""
        return not self.array or kind_of(self.node) == "type_cast"

    def wrap(self) -> None:
        """Put ``(SELECT node)`` in its place; an array keeps its cast."""
        made = Node()
        target = made.type_cast.arg if self.array else made
        target.CopyFrom(_in_select(self.node))
        if self.array:
            made.type_cast.type_name.CopyFrom(self.node.type_cast.type_name)
        self.node.CopyFrom(made)


def parts(message: Any, wanted: Wanted, array: bool = False) -> Iterator[Part]:
    """The largest nodes that depend on no row and call a wanted function.

    Args:
        message: where to look.
        wanted: which functions count.
        array: it stands right of ANY or ALL.
    """
    if _is_value(message, wanted, array) and not of_row(message):
        if any(calls(message, wanted)):
            yield Part(message, array)
        return
    if message.DESCRIPTOR.name == "A_Expr" and message.kind in (AEXPR_OP_ANY, AEXPR_OP_ALL):
        yield from parts(message.lexpr, wanted)
        yield from parts(message.rexpr, wanted, array=True)
        return
    for child in _evaluated(message):
        yield from parts(child, wanted)


def _is_value(message: Any, wanted: Wanted, array: bool) -> bool:
    """Whether it is to be wrapped as a whole; of an array without a type, only what it is made of can be."""
    kind = kind_of(message)
    if array and kind == "func_call":
        return wanted(_name(message.func_call))
    return kind == "type_cast" if array else kind in SCALARS


def per_row(expression: str, wanted: Wanted) -> list[tuple[str, ...]]:
    """Names of the wanted functions that the expression calls anew for each row though their value stays the same."""
    node = parse(expression)
    if node is None:
        return []
    return list(dict.fromkeys(name for part in parts(node, wanted) for name in calls(part.node, wanted)))


def wrapped(expression: str, wanted: Wanted) -> str | None:
    """The expression with each of them in a sub-select of its own; None where that cannot be written."""
    tree = postgast.parse(f"SELECT {expression}")
    found = list(parts(tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val, wanted))
    if not all(part.typed for part in found):
        return None
    for part in found:
        part.wrap()
    text = str(postgast.deparse(tree))
    # What the parser reads must be what was built.
    if _bare(postgast.parse(text)) != _bare(tree):
        return None
    return text.removeprefix("SELECT ")


def _in_select(node: Any) -> Any:
    made = Node()
    made.sub_link.sub_link_type = EXPR_SUBLINK
    select = made.sub_link.subselect.select_stmt
    select.target_list.add().res_target.val.CopyFrom(node)
    empty = postgast.parse("SELECT 1").stmts[0].stmt.select_stmt
    select.limit_option, select.op = empty.limit_option, empty.op
    return made


def _bare(tree: Any) -> Any:
    """A copy without the places in the text, which differ between any two spellings."""
    copy = type(tree)()
    copy.CopyFrom(tree)
    waiting: list[Any] = [copy]
    while waiting:
        message = waiting.pop()
        for field in message.DESCRIPTOR.fields:
            if field.name.endswith(PLACES):
                message.ClearField(field.name)
        waiting.extend(children(message))
    return copy


def always_true(expression: str) -> bool:
    """Whether it is the constant ``true``, through casts, sub-selects of nothing else, and ``OR``."""
    node = parse(expression)
    return node is not None and _true(node)


def _true(node: Any) -> bool:
    match kind_of(node):
        case "a_const":
            return bool(node.a_const.boolval.boolval)
        case "type_cast":
            return _true(node.type_cast.arg)
        case "bool_expr":
            return _any_or_all(node.bool_expr.boolop)(map(_true, node.bool_expr.args))
        case "a_expr":
            return _same_constant(node.a_expr)
        case "sub_link":
            return _selects_true(node.sub_link)
    return False


def _any_or_all(operator: int) -> Callable[[Iterator[bool]], bool]:
    return {AND_EXPR: all, OR_EXPR: any}.get(operator, lambda parts: False)


def _same_constant(expression: Any) -> bool:
    """``1 = 1``."""
    both = kind_of(expression.lexpr) == kind_of(expression.rexpr) == "a_const"
    null = expression.lexpr.a_const.isnull
    equal = expression.kind == AEXPR_OP and expression.name[-1].string.sval == "="
    return both and equal and not null and _bare(expression.lexpr) == _bare(expression.rexpr)


def _selects_true(link: Any) -> bool:
    select = link.subselect.select_stmt
    plain = link.sub_link_type == EXPR_SUBLINK and not select.from_clause and not select.HasField("where_clause")
    return plain and len(select.target_list) == 1 and _true(select.target_list[0].res_target.val)
