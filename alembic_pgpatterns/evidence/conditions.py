"""Conditions and ORDER BY keys as SQLAlchemy writes them, as data."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from alembic_pgpatterns.evidence.hybrids import sql_literal
from alembic_pgpatterns.evidence.model import Use
from alembic_pgpatterns.evidence.scope import VARIES, Conditions, Constant, Items, Ref, Scope, Value
from alembic_pgpatterns.evidence.symbols import PathCondition, PathOrder, PathQuery

_COMPARED = {
    ast.Eq: Use.EQUAL, ast.NotEq: Use.NOT_EQUAL, ast.Lt: Use.RANGE, ast.LtE: Use.RANGE, ast.Gt: Use.RANGE,
    ast.GtE: Use.RANGE,
}  # fmt: skip
_RANGES: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_METHODS = {
    "in_": Use.MEMBER, "not_in": Use.NOT_EQUAL, "notin_": Use.NOT_EQUAL, "between": Use.RANGE,
    "startswith": Use.PREFIX, "istartswith": Use.PATTERN, "endswith": Use.PATTERN, "icontains": Use.PATTERN,
    "contains": Use.CONTAINS, "contained_by": Use.OTHER, "has_key": Use.KEY, "has_any": Use.KEY, "has_all": Use.KEY,
    "overlap": Use.OVERLAP, "overlaps": Use.OVERLAP, "match": Use.SEARCH, "bool_op": Use.OTHER,
    "regexp_match": Use.PATTERN, "is_distinct_from": Use.NOT_EQUAL, "isnot_distinct_from": Use.EQUAL,
    "path_exists": Use.CONTAINS, "path_match": Use.CONTAINS, "all_": Use.OTHER, "notlike": Use.OTHER,
    "not_like": Use.OTHER, "not_ilike": Use.OTHER, "any_": Use.CONTAINS,
}  # fmt: skip
_OPERATORS = {
    "@>": Use.CONTAINS, "<@": Use.OTHER, "&&": Use.OVERLAP, "?": Use.KEY, "?|": Use.KEY, "?&": Use.KEY,
    "@@": Use.SEARCH, "=": Use.EQUAL, "<": Use.RANGE, ">": Use.RANGE, "~": Use.PATTERN, "~*": Use.PATTERN,
    "ILIKE": Use.PATTERN,
    "@?": Use.CONTAINS, "%": Use.PATTERN, "<->": Use.NEAREST, "<=>": Use.NEAREST, "<#>": Use.NEAREST,
}  # fmt: skip
_DISTANCES = frozenset({"l2_distance", "cosine_distance", "max_inner_product", "l1_distance", "distance_centroid"})
_TAKEN_OUT = frozenset({"astext", "as_string", "as_integer", "as_float", "as_boolean", "as_numeric", "as_json"})
_SAME = frozenset({"collate", "label", "self_group", "op", "expression", "column_valued"})


def literal_of(value: Value) -> str | None:
    """A constant as SQL text; None where the value changes from call to call."""
    if not isinstance(value, Constant) or value.prefix:
        return None
    return sql_literal(value.value)


class Expressions:
    """Evaluates expressions in a scope; a part of the interpreter (`queries`)."""

    scope: Scope

    def value(self, node: ast.expr) -> Value:
        """What an expression is."""
        raise NotImplementedError

    def compare(self, node: ast.Compare) -> Value:
        """``User.name == name``; a chain of comparisons is one condition per link."""
        result = Conditions()
        left = self.value(node.left)
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            self._link(result, left, operator, right)
            left = right
        return result

    def _link(self, result: Conditions, left: Value, operator: ast.cmpop, right: Value) -> None:
        use = _COMPARED.get(type(operator))
        if use is None:  # `in`, `is`: Python's own, which is no SQL
            result.complete = False
            return
        written = _RANGES.get(type(operator), "")
        if not isinstance(left, Ref):
            left, right = right, left
            written = SWAPPED.get(written, "")
        if not isinstance(left, Ref):
            result.complete = False
            return
        if use in (Use.EQUAL, Use.NOT_EQUAL) and not (isinstance(right, Constant) or _is_of_class(right)):
            self.varies(left.path)
        result.items.append(_written(_condition(left, use, right), written))

    def varies(self, path: str) -> None:
        """Note that what may be a column is compared with a variable value."""
        raise NotImplementedError

    def boolean(self, node: ast.UnaryOp | ast.BinOp | ast.BoolOp) -> Value:
        """``~a``, ``a & b``, ``a | b``."""
        if isinstance(node, ast.UnaryOp):
            inner = self.value(node.operand)
            if isinstance(node.op, (ast.Invert, ast.Not)):
                return negated(inner)
            return inner if isinstance(inner, Constant) else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            if isinstance(node.op, ast.BitOr):
                return self.either(_operands(node), node)
            return self.joined([node.left, node.right])
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node)
        return None

    def _arithmetic(self, node: ast.BinOp) -> Value:
        """``"%" + term``: a text of which the beginning is known; a sum with a column is an expression."""
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add) and not isinstance(left, Ref) and not isinstance(right, Ref):
            if _text_of(left) or _text_of(right):
                return Constant((_text_of(left) or VARIES) + (_text_of(right) or VARIES), prefix=True)
        elif isinstance(left, Constant) and isinstance(left.value, str) and isinstance(node.op, ast.Mod):
            return Constant(left.value.replace("%%", "\1").replace("%s", VARIES).replace("\1", "%"), prefix=True)
        if isinstance(left, Items) and isinstance(right, Items):
            return Items([*left.values, *right.values], left.depth)
        for side in (left, right):
            if isinstance(side, Ref):
                return Ref(side.path, function="expression")
        return None

    def either(self, nodes: list[ast.expr], node: ast.expr) -> Conditions:
        """Conditions joined by OR."""
        branches = [self.joined([item]) for item in nodes]
        return alternatives(branches, node.lineno * 1000 + node.col_offset)

    def joined(self, nodes: list[ast.expr]) -> Conditions:
        """Conditions joined by AND; what is no condition makes them incomplete."""
        result = Conditions()
        for node in nodes:
            add(result, self.value(node.value if isinstance(node, ast.Starred) else node))
        return result

    def method(self, ref: Ref, name: str, node: ast.Call) -> Value:
        """``User.name.in_(…)`` and the other operators that are methods of a column."""
        arguments = [self.value(item) for item in node.args]
        first = arguments[0] if arguments else None
        if name in ("is_", "is_not", "isnot"):
            return Conditions([_identity(ref, name != "is_", first)])
        if name in ("like", "ilike"):
            return Conditions([_condition(ref, _like(name, first), first)])
        if name in _METHODS:
            use = _METHODS[name]
            other = first if use in (Use.MEMBER, Use.RANGE, Use.EQUAL) else None
            return Conditions([_written(_condition(ref, use, other), name if use is Use.RANGE else "")])
        if name in _DISTANCES:
            return Ref(ref.path, function="<->")
        if name in _TAKEN_OUT:
            return replace(ref, taken_out=True) if name in ("astext", "as_string") else Ref(ref.path, taken_out=True)
        return ref if name in _SAME else Ref(ref.path, function=name) if name == "cast" else None

    def operator(self, node: ast.Call) -> Value:
        """``User.data.op("@>")(…)``."""
        assert isinstance(node.func, ast.Call) and isinstance(node.func.func, ast.Attribute)
        ref = self.value(node.func.func.value)
        named = self.value(node.func.args[0]) if node.func.args else None
        if not isinstance(ref, Ref) or not isinstance(named, Constant):
            return None
        use = _OPERATORS.get(str(named.value).upper(), Use.OTHER)
        if use is Use.NEAREST:
            return Ref(ref.path, function="<->")
        other = self.value(node.args[0]) if node.args else None
        written = str(named.value) if use is Use.RANGE else ""
        return Conditions([_written(_condition(ref, use, other), written)])

    def order_keys(self, nodes: list[ast.expr]) -> Iterator[PathOrder | None]:
        """The keys of order_by(); None for one that is not understood."""
        for node in nodes:
            value = self.value(node.value if isinstance(node, ast.Starred) else node)
            items = value.values if isinstance(value, Items) else [value]
            for item, source in zip(items, [node] * len(items), strict=True):
                yield self._order_key(item, source)

    def _order_key(self, value: Value, node: ast.expr) -> PathOrder | None:
        if isinstance(value, Constant) and isinstance(value.value, str):
            words = value.value.split()
            name = words[0].lstrip("-+") if words else ""
            descending = value.value.startswith("-") or (len(words) > 1 and words[1].lower() == "desc")
            return PathOrder(name, descending)
        if not isinstance(value, Ref):
            return None
        key = PathOrder(
            value.path, function=value.function if value.function not in _SORTS else "", template=value.template
        )
        _direct(node, key)
        return key


_SORTS = frozenset({"desc", "asc", "nulls_last", "nulls_first", "nullslast", "nullsfirst"})


def _direct(node: ast.expr, key: PathOrder) -> None:
    """Read ``.desc()``, ``nulls_last(…)`` and their like off the expression, from outside in."""
    while isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "desc":
            key.descending = True
        elif name in ("nulls_last", "nullslast"):
            key.nulls_first = False
        elif name in ("nulls_first", "nullsfirst"):
            key.nulls_first = True
        if name in _SORTS and isinstance(node.func, ast.Attribute) and not node.args:
            node = node.func.value
        elif node.args:
            node = node.args[0]
        else:
            return


def _is_of_class(value: Value) -> bool:
    """Whether it is what a class has, such as the label of an enum: ``State.open``. Paths of instances begin with @."""
    if not isinstance(value, Ref) or value.path.startswith("@"):
        return False
    return value.path.rpartition(".")[0].rpartition(".")[2][:1].isupper()


def _operands(node: ast.expr) -> list[ast.expr]:
    """The operands of ``a | b | c``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_operands(node.left), *_operands(node.right)]
    return [node]


def sorts(name: str) -> bool:
    """Whether a function or method only says how to sort."""
    return name in _SORTS


def _written(condition: PathCondition, operator: str) -> PathCondition:
    """The condition with its operator, where it is a range."""
    return replace(condition, operator=operator) if operator and condition.use is Use.RANGE else condition


_PATH_OPERATORS = {Use.EQUAL: "=", Use.MEMBER: "in"}


def _condition(ref: Ref, use: Use, other: Value) -> PathCondition:
    written_use = use
    if isinstance(other, Constant) and other.value is None and use in (Use.EQUAL, Use.NOT_EQUAL):
        use = Use.IS_NULL if use is Use.EQUAL else Use.IS_NOT_NULL
    if ref.taken_out and use in (Use.EQUAL, Use.MEMBER, Use.RANGE, Use.NOT_EQUAL, Use.PATTERN, Use.PREFIX):
        use = Use.PATH
    if ref.function == "<->":
        use = Use.NEAREST
    if ref.function == "any_" and use is Use.EQUAL:
        return PathCondition(ref.path, Use.CONTAINS)
    path = other.path if isinstance(other, Ref) else ""
    return PathCondition(
        ref.path,
        use,
        literal_of(other),
        ref.function,
        other=path,
        values=_list_of(other) if use is Use.MEMBER else (),
        operator=_PATH_OPERATORS.get(written_use, "") if use is Use.PATH else "",
        template=ref.template,
        keys=ref.keys,
        within=_within(ref, other) if use is Use.MEMBER and not ref.function else None,
    )


def _within(ref: Ref, value: Value) -> PathQuery | None:
    """The query whose rows are compared with; it does not run by itself then."""
    if not isinstance(value, PathQuery) or not _is_set(value, ref):
        return None
    value.superseded = True
    return value


def _list_of(value: Value) -> tuple[str, ...]:
    """Constants as SQL texts; none where one of them varies. What may be a constant elsewhere is a path after ``@``."""
    if not isinstance(value, Items):
        return ()
    texts = [literal_of(item) or (f"@{item.path}" if isinstance(item, Ref) else None) for item in value.values]
    return tuple(text for text in texts if text is not None) if None not in texts else ()


def _is_set(query: PathQuery, of: Ref) -> bool:
    """Whether a query gives one column of other rows, so that to be among them is a join."""
    plain = not (query.limit or query.offset or query.grouped or query.aggregates or query.link or query.order)
    owner = query.fetched[0].rpartition(".")[0] if len(query.fetched) == 1 else ""
    return plain and owner not in ("", of.path, of.path.rpartition(".")[0]) and query.entities == query.fetched


def _text_of(value: Value) -> str:
    return value.value if isinstance(value, Constant) and isinstance(value.value, str) else ""


def _identity(ref: Ref, negative: bool, value: Value) -> PathCondition:
    if isinstance(value, Constant) and value.value is None:
        return PathCondition(ref.path, Use.IS_NOT_NULL if negative else Use.IS_NULL, function=ref.function)
    use, literal = Use.NOT_EQUAL if negative else Use.EQUAL, literal_of(value)
    return PathCondition(ref.path, use, literal, ref.function, operator="is" if literal and not negative else "")


def _like(name: str, value: Value) -> Use:
    text = value.value if isinstance(value, Constant) else None
    begins = isinstance(text, str) and text[:1] not in ("%", "_", "") and text != VARIES
    return Use.PREFIX if begins and name == "like" else Use.PATTERN


def add(result: Conditions, value: Value) -> None:
    """Add what a value says as conditions."""
    if isinstance(value, Conditions):
        result.items += value.items
        result.complete &= value.complete
        result.handed |= value.handed
    elif isinstance(value, Ref):
        result.items.append(PathCondition(value.path, Use.EQUAL, "true", value.function))
    elif isinstance(value, Items):
        for item in value.values:
            add(result, item)
    elif isinstance(value, PathQuery) or (isinstance(value, Constant) and isinstance(value.value, bool)):
        return  # EXISTS (…), which is a query of its own; true()
    else:
        result.complete = False


def alternatives(branches: Sequence[Conditions], group: int) -> Conditions:
    """The branches of an OR. Equalities of one column are a list of values, and no alternatives.

    Args:
        branches: the conditions of each.
        group: a number that no other OR of the query has.
    """
    conditions = Conditions()
    for number, branch in enumerate(branches):
        add(conditions, branch)
        for item in branch.items:
            item.branch = (group, number)
    paths = {item.path for item in conditions.items}
    if len(paths) == 1 and conditions.complete and all(item.use is Use.EQUAL for item in conditions.items):
        first = conditions.items[0]
        return Conditions([PathCondition(first.path, Use.MEMBER, None, first.function)])
    for item in conditions.items:
        item.alternative = True
    return conditions


OPPOSITE = {
    Use.EQUAL: Use.NOT_EQUAL, Use.NOT_EQUAL: Use.EQUAL, Use.MEMBER: Use.NOT_EQUAL, Use.IS_NULL: Use.IS_NOT_NULL,
    Use.IS_NOT_NULL: Use.IS_NULL, Use.RANGE: Use.RANGE,
}  # fmt: skip


_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def negated(value: Value) -> Value:
    """NOT of a condition or of a boolean column."""
    if isinstance(value, Ref):
        return Conditions([PathCondition(value.path, Use.EQUAL, "false", value.function)])
    if not isinstance(value, Conditions):
        return value if isinstance(value, PathQuery) else None
    for item in value.items:
        if item.use is Use.EQUAL and item.literal in ("true", "false"):
            item.literal = "false" if item.literal == "true" else "true"
        else:
            item.use = OPPOSITE.get(item.use, Use.OTHER)
            item.operator = _NEGATED.get(item.operator, "")
    return value


def key_of(value: Value) -> str:
    """A key of a document as SQL text; `VARIES` where it is no constant."""
    if isinstance(value, Items) and all(isinstance(item, Constant) for item in value.values):
        # SQLAlchemy writes a path with spaces, and PostgreSQL takes `{a, b}` and `{a,b}` for the same.
        return "#" + (sql_literal("{" + ",".join(str(getattr(item, "value", "")) for item in value.values) + "}") or "")
    return literal_of(value) or VARIES
