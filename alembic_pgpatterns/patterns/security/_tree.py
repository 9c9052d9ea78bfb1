"""Policy expressions as parse trees: what refers to the row, what is called once per row, how to wrap it.

The trees are libpg_query's. In what the catalog prints, every column inside a sub-select is qualified by the alias it
comes from, so that a reference to the policy's own row can be distinguished from one to the sub-select's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from alembic_pgpatterns.schema.sql.expressions import parse
from alembic_pgpatterns.schema.sql.parser import (
    AEXPR_OP,
    AEXPR_OP_ALL,
    AEXPR_OP_ANY,
    AND_EXPR,
    EXPR_SUBLINK,
    OR_EXPR,
    Node,
    postgast,
)

FunctionName: TypeAlias = tuple[str, ...]
"""As written, split at its dots."""

Test: TypeAlias = Callable[[FunctionName], bool]
"""Whether a function is one of those that are meant."""

SCALARS = frozenset(
    {
        "A_ArrayExpr", "A_Expr", "A_Indirection", "BoolExpr", "BooleanTest", "CaseExpr", "CoalesceExpr",
        "CollateClause", "FuncCall", "JsonFuncExpr", "MinMaxExpr", "NullTest", "RowExpr", "TypeCast", "XmlExpr",
    }
)  # fmt: skip
"""Nodes that stand for one value, so that ``(SELECT node)`` may take their place."""

HERE = "\0"
"""Stands for an aggregate, or a function with another value at each call; no name can hold it."""

PLACED = frozenset({"CurrentOfExpr", "GroupingFunc", "JsonArrayAgg", "JsonObjectAgg", "ParamRef", "SetToDefault"})
"""Nodes that mean something only where they stand."""

NAMES = frozenset({"fields", "funcname", "name", "type_name"})
"""Fields that only spell a name."""

PLACES = ("location", "list_start", "list_end", "stmt_len")
"""How fields end that say where in the text a node was read."""


def kind_of(message: Any) -> str | None:
    """Which node of the grammar a Node holds; None for any other message."""
    kind: str | None = message.WhichOneof("node") if message.DESCRIPTOR.name == "Node" else None
    return kind


def children(message: Any) -> Iterator[tuple[str, Any]]:
    """The messages directly inside a message, with the names of their fields, in the grammar's order."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in (value,) if hasattr(value, "DESCRIPTOR") else value:
                yield field.name, child


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A node of the tree and what is inside of it, walked once.

    ``field``: where it stands in the node above. ``type``: the grammar's name for it. ``node``: the message that holds
    it, to be written over. ``unbound``: qualifiers of the columns in it that none of its own sub-selects brings along,
    '' for a column without one, HERE for what must stay in its SELECT: where there are any, it depends on a row.
    """

    field: str
    type: str
    node: Any
    message: Any
    inside: tuple[Branch, ...]
    unbound: frozenset[str]


def anything(name: FunctionName) -> bool:
    """Every function."""
    return True


def grow(message: Any, movable: Test = anything, field: str = "") -> Branch:
    """The branch that starts at a message.

    Args:
        message: a message of the tree.
        movable: whether a call of that function without a column gives the same in a sub-select of its own.
        field: where it stands.
    """
    kind = kind_of(message)
    content = message if kind is None else getattr(message, kind)
    name = content.DESCRIPTOR.name
    inside = tuple(grow(child, movable, under) for under, child in children(content) if under not in NAMES)
    unbound = frozenset().union(*(branch.unbound for branch in inside))
    if name == "ColumnRef":
        unbound = frozenset({_qualifier(content)})
    elif name in PLACED or (name == "FuncCall" and not (movable(_function(content)) and _plain(content))):
        unbound |= {HERE}
    elif name == "SelectStmt":
        unbound -= {HERE, *(_brought(content) if content.from_clause else ())}
    return Branch(field, name, message, content, inside, unbound)


def of_row(message: Any) -> bool:
    """Whether its value depends on a row: it names a column that none of its own sub-selects brings along."""
    return bool(grow(message).unbound)


def _qualifier(reference: Any) -> str:
    return reference.fields[-2].string.sval if len(reference.fields) > 1 else ""


def _plain(call: Any) -> bool:
    """No aggregate or window function by the way it is called."""
    aggregate = call.agg_star or call.agg_distinct or call.agg_within_group or call.agg_order
    return not (aggregate or call.HasField("agg_filter") or call.HasField("over"))


def _function(call: Any) -> FunctionName:
    return tuple(part.string.sval for part in call.funcname)


def _brought(select: Any) -> set[str]:
    """Qualifiers of the columns that a SELECT's own FROM brings."""
    return {"", *_aliases(select)}


def _aliases(select: Any) -> Iterator[str]:
    """The names a SELECT's own FROM brings."""
    waiting = list(select.from_clause)
    while waiting:
        item = waiting.pop()
        if kind_of(item) == "join_expr":
            waiting.extend((item.join_expr.larg, item.join_expr.rarg))
            yield item.join_expr.alias.aliasname
        else:
            # Only tables have relname; functions and sub-selects have nothing but the alias.
            source = getattr(item, kind_of(item) or "")
            yield source.alias.aliasname or getattr(source, "relname", "")


def _evaluated(branch: Branch) -> Iterator[Branch]:
    """What is inside and evaluated as often as the branch itself.

    Not so: an uncorrelated sub-select, which runs once per query, and a function in FROM, whose rows are kept from one
    run of a sub-select to the next.
    """
    for inner in branch.inside:
        once = branch.type == "SubLink" and inner.type == "SelectStmt" and not inner.unbound
        if not once and inner.type != "RangeFunction":
            yield inner


def _calls(branch: Branch, is_meant: Test) -> Iterator[FunctionName]:
    """The functions it calls outside of uncorrelated sub-selects."""
    if branch.type == "FuncCall" and is_meant(_function(branch.message)):
        yield _function(branch.message)
    for inner in _evaluated(branch):
        yield from _calls(inner, is_meant)


@dataclass(frozen=True, slots=True)
class Part:
    """A branch to be wrapped. ``array``: it stands right of ANY or ALL."""

    branch: Branch
    array: bool

    @property
    def typed(self) -> bool:
        """Whether it can be wrapped: ``ANY ((SELECT …))`` reads rows, so an array needs a cast around it."""
        return not self.array or self.branch.type == "TypeCast"

    def wrap(self) -> None:
        """Replace the node by ``(SELECT node)``; an array keeps its cast."""
        made = Node()
        target = made.type_cast.arg if self.array else made
        target.CopyFrom(_in_select(self.branch.node))
        if self.array:
            made.type_cast.type_name.CopyFrom(self.branch.message.type_name)
        self.branch.node.CopyFrom(made)


def _parts(branch: Branch, is_meant: Test, array: bool = False) -> Iterator[Part]:
    """The largest values that depend on no row and call such a function.

    Args:
        branch: where to look.
        is_meant: which functions count.
        array: it stands right of ANY or ALL.
    """
    if not branch.unbound and _is_value(branch, is_meant, array):
        if any(_calls(branch, is_meant)):
            yield Part(branch, array)
        return
    listing = branch.type == "A_Expr" and branch.message.kind in (AEXPR_OP_ANY, AEXPR_OP_ALL)
    for inner in _evaluated(branch):
        yield from _parts(inner, is_meant, array=listing and inner.field == "rexpr")


def _is_value(branch: Branch, is_meant: Test, array: bool) -> bool:
    """Whether it is to be wrapped as a whole; of an array without a type, only what it is made of can be."""
    if array and branch.type == "FuncCall":
        return is_meant(_function(branch.message))
    return branch.type == "TypeCast" if array else branch.type in SCALARS


@dataclass(frozen=True, slots=True)
class Repeated:
    """Functions that an expression calls again for each row although their value stays the same.

    ``wrapped``: the expression with each of them in a sub-select of its own; None where that cannot be written.
    """

    functions: tuple[FunctionName, ...] = ()
    wrapped: str | None = None


def repeated(expression: str, is_meant: Test, movable: Test) -> Repeated:
    """The parts of an expression that run once per row without need; nothing where it cannot be parsed.

    Args:
        expression: as the catalog prints it.
        is_meant: whether calls of that function count.
        movable: whether it may be called from a sub-select together with them.
    """
    try:
        tree = postgast.parse(f"SELECT {expression}")
    except postgast.PgQueryError:
        return Repeated()
    parts = list(_parts(grow(tree.stmts[0].stmt, movable), is_meant))
    names = dict.fromkeys(name for part in parts for name in _calls(part.branch, is_meant))
    return Repeated(tuple(names), _wrapped(tree, parts) if parts else None)


def _wrapped(tree: Any, parts: list[Part]) -> str | None:
    if not all(part.typed for part in parts):
        return None
    for part in parts:
        part.wrap()
    text = str(postgast.deparse(tree))
    # What the parser reads must be what was built.
    return text.removeprefix("SELECT ") if _same(postgast.parse(text), tree) else None


def _same(tree: Any, other: Any) -> bool:
    """Whether two trees are equal but for the places in the text, which differ between any two spellings."""
    left, right = _content(tree), _content(other)
    if left.keys() != right.keys():
        return False
    return all(_same_value(value, right[name]) for name, value in left.items())


def _content(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields() if not field.name.endswith(PLACES)}


def _same_value(value: Any, other: Any) -> bool:
    if hasattr(value, "DESCRIPTOR"):
        return _same(value, other)
    if hasattr(value, "add"):
        return len(value) == len(other) and all(map(_same, value, other))
    return bool(value == other)


def _in_select(node: Any) -> Any:
    made = Node()
    made.sub_link.sub_link_type = EXPR_SUBLINK
    select = made.sub_link.subselect.select_stmt
    select.target_list.add().res_target.val.CopyFrom(node)
    # A new message has 0 there, which is no value of these enums.
    empty = postgast.parse("SELECT 1").stmts[0].stmt.select_stmt
    select.limit_option, select.op = empty.limit_option, empty.op
    return made


@lru_cache(maxsize=4096)
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
    return both and equal and not null and _same(expression.lexpr, expression.rexpr)


def _selects_true(link: Any) -> bool:
    select = link.subselect.select_stmt
    plain = link.sub_link_type == EXPR_SUBLINK and not select.from_clause and not select.HasField("where_clause")
    return plain and len(select.target_list) == 1 and _true(select.target_list[0].res_target.val)
