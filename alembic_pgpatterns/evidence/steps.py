"""The steps of a query: what `where`, `join`, `order_by` and the other methods add to it."""

from __future__ import annotations

import ast
from collections.abc import Callable

from alembic_pgpatterns.evidence.conditions import Expressions, literal_of
from alembic_pgpatterns.evidence.scope import Conditions, Constant, Items, Ref, Words
from alembic_pgpatterns.evidence.symbols import PathQuery


class Steps(Expressions):
    """Evaluates the methods of a query; a part of the interpreter (`queries`)."""

    def arguments_only(self, node: ast.Call) -> None:
        """Evaluate the arguments for the queries in them."""
        raise NotImplementedError

    def words(self, keywords: list[ast.keyword]) -> Words:
        """Keyword arguments."""
        raise NotImplementedError

    def _where(self, query: PathQuery, node: ast.Call) -> None:
        joined = self.joined(node.args)
        for item in joined.items:
            item.optional |= self.scope.depth > query.depth
        query.conditions += joined.items
        query.complete &= joined.complete
        query.takes |= joined.handed

    def _filter_by(self, query: PathQuery, node: ast.Call) -> None:
        words = self.words(node.keywords)
        query.complete &= words.complete
        query.takes_words |= words.handed
        query.by_name += [
            (
                "=" + name,
                "null" if isinstance(value, Constant) and value.value is None else literal_of(value),
                self.scope.depth > query.depth,
            )
            for name, value in words.values.items()
        ]

    def _join(self, query: PathQuery, node: ast.Call) -> None:
        for argument in node.args[:1]:
            value = self.value(argument)
            if isinstance(value, Ref):
                query.joined.append(value.path)
        joined = self.joined(node.args[1:2])
        joined.items += self.joined([word.value for word in node.keywords if word.arg == "onclause"]).items
        query.conditions += joined.items

    def _from(self, query: PathQuery, node: ast.Call) -> None:
        for argument in node.args:
            value = self.value(argument)
            if isinstance(value, Ref):
                query.entities.insert(0, value.path)
            elif isinstance(value, Items):
                tables = [item.path for item in value.values if isinstance(item, Ref)]
                query.entities[:0], query.joined = tables[:1], [*query.joined, *tables[1:]]
                query.conditions += [
                    part for item in value.values if isinstance(item, Conditions) for part in item.items
                ]

    def _order(self, query: PathQuery, node: ast.Call) -> None:
        for key in self.order_keys(node.args):
            if key is None:
                query.complete = False
            else:
                query.order.append(key)

    def _group(self, query: PathQuery, node: ast.Call) -> None:
        for argument in node.args:
            value = self.value(argument)
            if isinstance(value, Ref):
                query.grouped.append(value.path)

    def _limit(self, query: PathQuery, node: ast.Call) -> None:
        value = self.value(node.args[0]) if node.args else None
        query.limit = True
        number = value.value if isinstance(value, Constant) else None
        query.limit_rows = number if isinstance(number, int) else query.limit_rows

    def _first(self, query: PathQuery, node: ast.Call) -> None:
        query.limit, query.limit_rows = True, 1

    def _count(self, query: PathQuery, node: ast.Call) -> None:
        query.aggregates, query.order = [("count", "*")], []

    def _offset(self, query: PathQuery, node: ast.Call) -> None:
        query.offset = True

    def _page(self, query: PathQuery, node: ast.Call) -> None:
        query.limit = query.offset = True

    def _lock(self, query: PathQuery, node: ast.Call) -> None:
        words = {
            word.arg for word in node.keywords if not (isinstance(word.value, ast.Constant) and not word.value.value)
        }
        weak = "key_share" in words
        query.lock = ("key share" if weak else "share") if "read" in words else ("no key update" if weak else "update")
        query.skip_locked = "skip_locked" in words

    def _nested(self, query: PathQuery, node: ast.Call) -> None:
        query.nested = True
        self.arguments_only(node)

    def _distinct(self, query: PathQuery, node: ast.Call) -> None:
        query.distinct = True

    def _command(self, query: PathQuery, node: ast.Call) -> None:
        assert isinstance(node.func, ast.Attribute)
        query.command = "update" if node.func.attr == "update" else "delete"
        self._assigned(query, node)

    def _assigned(self, query: PathQuery, node: ast.Call) -> None:
        """The columns in ``.values(name=…)``, ``.values({User.name: …})`` and ``query.update({"name": …})``."""
        self.arguments_only(node)
        query.assigned += [f"?.{word.arg}" for word in node.keywords if word.arg not in (None, "synchronize_session")]
        for argument in node.args[:1]:
            words = self.value(argument)
            query.assigned += [f"?.{name}" for name in words.values] if isinstance(words, Words) else []
            for key in argument.keys if isinstance(argument, ast.Dict) else ():
                value = self.value(key) if key is not None else None
                query.assigned += [value.path] if isinstance(value, Ref) else []


STEPS: dict[str, Callable[[Steps, PathQuery, ast.Call], None]] = {
    "where": Steps._where, "filter": Steps._where, "filter_by": Steps._filter_by,
    "join": Steps._join, "outerjoin": Steps._join, "join_from": Steps._join, "select_from": Steps._from,
    "order_by": Steps._order, "group_by": Steps._group, "limit": Steps._limit, "fetch": Steps._limit,
    "first": Steps._first, "first_or_404": Steps._first, "offset": Steps._offset, "slice": Steps._page,
    "paginate": Steps._page,
    "with_for_update": Steps._lock, "distinct": Steps._distinct, "update": Steps._command, "delete": Steps._command,
    "values": Steps._assigned, "count": Steps._count,
    "exists": Steps._nested, "scalar_subquery": Steps._nested, "as_scalar": Steps._nested, "lateral": Steps._nested,
}  # fmt: skip
