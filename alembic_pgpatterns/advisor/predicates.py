"""The columns in the conditions of a plan, by table, read from PostgreSQL's parse tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alembic_pgpatterns.advisor.like import Pattern, read_pattern
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.sql.parser import pg, postgast

_RUN_ONCE = re.compile(r"\(InitPlan (\d+)\)\.col\d+")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "<@": "@>", "@>": "<@", "<%": "%>", "%>": "<%"}
_RANGE = frozenset({"<", "<=", ">", ">=", "~<~", "~>=~", "~<=~", "~>~"})
SIMILAR = frozenset({"%", "<%", "%>", "<<%", "%>>"})
"""The operators of pg_trgm. A condition is a boolean, so that ``%`` is not the one of numbers."""
_CONTAINS = SIMILAR | {"@>", "<@", "&&", "?", "?|", "?&", "@@", "@?", "<<", "<<=", ">>", ">>=", "-|-"}
_LIKE = {"~~": "like", "~~*": "ilike", "~": "regex", "~*": "regex"}


@dataclass(frozen=True, slots=True)
class Term:
    """A possible key of an index: a column, or an expression as SQL without the table's name."""

    column: str | None = None
    expression: str | None = None

    @property
    def text(self) -> str:
        """The column's name or the expression."""
        return self.column if self.column is not None else str(self.expression)


@dataclass(frozen=True, slots=True)
class Order:
    """One key of ORDER BY."""

    term: Term
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A term compared with something.

    ``parameter``: number of the ``$n``, None for a constant or an expression. ``pattern``: of LIKE. ``condition``: SQL
    of the whole where nothing in it changes from call to call. ``is_list``: any of a list. ``elements``: the numbers of
    its elements; of one array that is sent as a whole it is ``parameter``.
    """

    term: Term
    operator: str
    parameter: int | None = None
    pattern: Pattern = ()
    condition: str | None = None
    is_list: bool = False
    elements: tuple[int, ...] = ()


@dataclass
class TableUse:
    """How one statement uses one table in its FROM list.

    Attributes:
        table: the table.
        alias: its name in the statement.
        equal: compared for equality with one value or a list.
        joins: compared for equality with a column of another table.
        ranges: compared with a range; several of one ROW comparison stand in its order.
        order: ORDER BY, as far as it is of this table alone.
        likes: patterns of LIKE, ILIKE and regular expressions.
        contains: operators that a GIN or GiST index serves.
        nearest: what is ordered by its distance from something.
        constants: SQL of conditions without parameters: what a partial index can be made of.
        alternatives: per OR that is no list of one column: what each of its branches asks of the table.
        fetched: columns that the statement reads at all. ``star``: all, or not known.
        limit, locks: of the statement.
    """

    table: Name
    alias: str
    equal: list[Comparison] = field(default_factory=list)
    joins: list[Term] = field(default_factory=list)
    ranges: list[Comparison] = field(default_factory=list)
    rows: list[tuple[Term, ...]] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    likes: list[Comparison] = field(default_factory=list)
    contains: list[Comparison] = field(default_factory=list)
    nearest: list[Term] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    constant_columns: set[str] = field(default_factory=set)
    alternatives: list[tuple[TableUse, ...]] = field(default_factory=list)
    fetched: set[str] = field(default_factory=set)
    star: bool = False
    limit: bool = False
    locks: bool = False

    @property
    def terms(self) -> frozenset[str]:
        """The text of all terms that could be the first key of an index."""
        compared = (*self.equal, *self.ranges, *self.likes, *self.contains)
        return frozenset(
            (
                *(text for branches in self.alternatives for branch in branches for text in branch.terms),
                *(item.term.text for item in compared),
                *(term.text for term in (*self.joins, *self.nearest)),
                *(item.term.text for item in self.order),
                *(term.text for row in self.rows for term in row),
            )
        )

    @property
    def bounds(self) -> frozenset[str]:
        """The text of the terms that limit the rows to read: equality, range and order, but not joins."""
        compared = [item.term for item in (*self.equal, *self.ranges)]
        terms = (*compared, *(item.term for item in self.order))
        return frozenset(term.text for term in (*terms, *(term for row in self.rows for term in row)))


Uses = Mapping[str, TableUse]


def read_condition(text: str, uses: Uses) -> bool:
    """Add a condition of EXPLAIN VERBOSE. Returns whether it could be parsed."""
    node = parse_condition(text)
    if node is None:
        return False
    _condition(node, uses)
    return True


def parse_condition(text: str) -> Any | None:
    """The tree of a condition as EXPLAIN prints it; None if it is not SQL (for example subplans)."""
    # The result of a sub-query that runs once, as PostgreSQL 17 and later print it. It is no SQL; a call is.
    text = _RUN_ONCE.sub(r"run_once(\1)", text)
    try:
        return postgast.parse(f"SELECT 1 WHERE {text}").stmts[0].stmt.select_stmt.where_clause
    except postgast.PgQueryError:
        return None


def read_order(text: str, uses: Uses) -> None:
    """Add one sort key of EXPLAIN VERBOSE (``o.created_at DESC NULLS LAST``)."""
    try:
        key = postgast.parse(f"SELECT 1 ORDER BY {text}").stmts[0].stmt.select_stmt.sort_clause[0].sort_by
    except postgast.PgQueryError:
        return
    owners = {use.alias: use for use in _tables(key.node, uses)}
    if len(owners) != 1:
        for use in uses.values():
            use.order.append(Order(Term(), False, False))  # an order that no index of the table gives
        return
    use = next(iter(owners.values()))
    if _nearest(key.node, use, uses):
        return
    descending = key.sortby_dir == pg.SORTBY_DESC
    explicit = key.sortby_nulls in (pg.SORTBY_NULLS_FIRST, pg.SORTBY_NULLS_LAST)
    first = key.sortby_nulls == pg.SORTBY_NULLS_FIRST if explicit else descending
    use.order.append(Order(_term(key.node, uses), descending, first))


def _nearest(node: Any, use: TableUse, uses: Uses) -> bool:
    """Add an order by distance (``name <-> 'x'``), which GiST gives. Returns whether it is one."""
    node = _inner(node)
    if node.WhichOneof("node") != "a_expr" or node.a_expr.name[-1].string.sval not in ("<->", "<->>", "<<->"):
        return False
    sides = [side for side in (node.a_expr.lexpr, node.a_expr.rexpr) if _any(side, pg.ColumnRef)]
    use.nearest += [_term(side, uses) for side in sides[:1]]
    use.order.append(Order(Term(), False, False))  # no btree gives it
    return True


def _condition(node: Any, uses: Uses) -> None:
    kind = node.WhichOneof("node")
    if kind == "bool_expr" and node.bool_expr.boolop == pg.AND_EXPR:
        for part in node.bool_expr.args:
            _condition(part, uses)
    elif kind == "bool_expr" and node.bool_expr.boolop == pg.OR_EXPR:
        _or(node, uses)
    elif kind == "a_expr":
        _comparison(node.a_expr, node, uses)
    else:
        _constant(node, uses)


def _constant(node: Any, uses: Uses) -> None:
    """A condition without parameters, such as ``deleted_at IS NULL``: a partial index can be made of it."""
    tables = _tables(node, uses)
    if len(tables) != 1 or _any(node, pg.ParamRef) or _any(node, pg.SubLink) or _changes(node):
        return
    use = tables[0]
    use.constants.append(deparsed(_bare(node)))
    use.constant_columns.update(_columns(node))


def _comparison(expression: Any, node: Any, uses: Uses) -> None:
    left, right = _inner(expression.lexpr), _inner(expression.rexpr)
    operator = expression.name[-1].string.sval
    row = left.WhichOneof("node") == "row_expr"
    if row and operator in _RANGE:
        _row_range(left.row_expr, uses)
        return
    owners, others = _tables(left, uses), _tables(right, uses)
    if owners and others:
        if operator == "=" and owners != others:
            _join(left, uses)
            _join(right, uses)
        return
    if others:  # the column is on the right: $1 = ANY (tags), $1 = id
        if expression.kind == pg.AEXPR_OP_ANY:
            return
        left, right, owners, operator = right, left, others, _FLIPPED.get(operator, operator)
    if len(owners) == 1:
        fixed = None if _any(node, pg.ParamRef) or _any(node, pg.SubLink) or _changes(node) else deparsed(_bare(node))
        lists = expression.kind in (pg.AEXPR_OP_ANY, pg.AEXPR_IN)
        elements = tuple(_parameters(right)) if lists else ()
        item = Comparison(_term(left, uses), operator, _parameter(right), (), fixed, lists, elements)
        _add(owners[0], item, expression.kind, right)


def _add(use: TableUse, item: Comparison, kind: int, right: Any) -> None:
    """Add a comparison to the use of a table. ``kind``, ``right``: of the expression in the parse tree."""
    operator = item.operator
    if operator == "=" and (item.is_list or kind == pg.AEXPR_OP):
        use.equal.append(item)
    elif operator in _RANGE and kind == pg.AEXPR_OP:
        use.ranges.append(item)
    elif operator in _CONTAINS:
        use.contains.append(item)
    elif operator in _LIKE and kind in (pg.AEXPR_OP, pg.AEXPR_LIKE, pg.AEXPR_ILIKE):
        use.likes.append(Comparison(item.term, _LIKE[operator], item.parameter, read_pattern(right)))


def _row_range(row: Any, uses: Uses) -> None:
    terms = [(_tables(part, uses), _term(_inner(part), uses)) for part in row.args]
    owners = {use.alias for tables, _ in terms for use in tables}
    if len(owners) == 1:
        uses[owners.pop()].rows.append(tuple(term for _, term in terms))


def _join(node: Any, uses: Uses) -> None:
    tables = _tables(node, uses)
    if len(tables) == 1:
        tables[0].joins.append(_term(node, uses))


def _or(node: Any, uses: Uses) -> None:
    """``a = 1 OR a = 2`` is a list. For other ORs each branch may have its own index."""
    tables = _tables(node, uses)
    if len(tables) != 1:
        return
    use = tables[0]
    # `$1 IS NULL OR status = $1`: a filter that the application may leave out. Where it does not, the planner, which
    # knows the value, sees the comparison alone.
    parts = [part for part in node.bool_expr.args if _any(part, pg.ColumnRef)]
    if len(parts) == 1:
        _condition(parts[0], uses)
        return
    branches = [TableUse(use.table, use.alias) for _ in parts]
    for branch, part in zip(branches, parts, strict=True):
        _condition(part, {use.alias: branch})
    firsts = [branch.equal[0] if branch.equal else None for branch in branches]
    if None not in firsts and len({item.term for item in firsts if item}) == 1:
        use.equal.append(next(item for item in firsts if item))
    else:
        if all(branch.equal or branch.likes or branch.contains or branch.ranges for branch in branches):
            use.alternatives.append(tuple(branches))
        _constant(node, uses)


def _inner(node: Any) -> Any:
    """The node without casts that change no value: of a constant or parameter, and between text types of a column."""
    while node.WhichOneof("node") in ("type_cast", "collate_clause"):
        inner = node.type_cast.arg if node.WhichOneof("node") == "type_cast" else node.collate_clause.arg
        if node.WhichOneof("node") == "type_cast" and _any(inner, pg.ColumnRef):
            target = node.type_cast.type_name.names[-1].string.sval
            # A varchar is text to all operators; EXPLAIN shows that as a cast. Of another type it is a real one.
            if target not in ("text", "varchar", "bpchar") or inner.WhichOneof("node") != "column_ref":
                return node
        node = inner
    return node


def _term(node: Any, uses: Uses) -> Term:
    node = _inner(node)
    if node.WhichOneof("node") == "column_ref":
        return Term(column=_name(node.column_ref))
    return Term(expression=deparsed(_bare(node)))


def _name(reference: Any) -> str:
    return str(reference.fields[-1].string.sval)


def _tables(node: Any, uses: Uses) -> list[TableUse]:
    result: dict[str, TableUse] = {}
    for reference in postgast.find_nodes(node, pg.ColumnRef):
        names = [part.string.sval for part in reference.fields]
        use = uses.get(names[-2]) if len(names) > 1 else next(iter(uses.values())) if len(uses) == 1 else None
        if use is not None:
            result[use.alias] = use
    return list(result.values())


def _columns(node: Any) -> Iterator[str]:
    return (_name(reference) for reference in postgast.find_nodes(node, pg.ColumnRef))


def _parameter(node: Any) -> int | None:
    node = _inner(node)
    if node.WhichOneof("node") == "param_ref":
        return int(node.param_ref.number)
    numbers = list(_parameters(node))
    return numbers[0] if len(numbers) == 1 else None


def _parameters(node: Any) -> Iterator[int]:
    return (int(reference.number) for reference in postgast.find_nodes(node, pg.ParamRef))


def _changes(node: Any) -> bool:
    """Whether the value changes from call to call, which the condition of an index must not.

    A call without a column that is left in a plan does: the planner has computed those of immutable functions.
    """
    calls = postgast.find_nodes(node, pg.FuncCall)
    return any(not _any(call, pg.ColumnRef) for call in calls) or _any(node, pg.SQLValueFunction)


def _any(node: Any, kind: Any) -> bool:
    return next(iter(postgast.find_nodes(node, kind)), None) is not None


def _bare(node: Any) -> Any:
    """A copy whose columns have no table name."""
    copy = type(node)()
    copy.CopyFrom(node)
    for reference in postgast.find_nodes(copy, pg.ColumnRef):
        while len(reference.fields) > 1:
            del reference.fields[0]
    return copy


def deparsed(node: Any) -> str:
    """The SQL of an expression."""
    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return str(postgast.deparse(tree)).removeprefix("SELECT ")
