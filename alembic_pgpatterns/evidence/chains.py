"""Chains of calls that build a query: ``select(User).where(…)``, ``session.query(User)``, ``User.query``."""

from __future__ import annotations

import ast
from collections.abc import Callable
from copy import copy
from typing import Literal

from alembic_pgpatterns.evidence.conditions import Expressions, add, alternatives, literal_of, negated, sorts
from alembic_pgpatterns.evidence.scope import Conditions, Constant, Items, Ref, Value, Words
from alembic_pgpatterns.evidence.symbols import Link, PathQuery

_NOTHING = frozenset(
    {
        "options", "execution_options", "add_columns", "add_entity", "with_entities", "correlate", "correlate_except",
        "params", "populate_existing", "yield_per", "returning", "enable_eagerloads", "with_only_columns",
        "prefix_with", "suffix_with", "with_hint", "scalar_subquery", "as_scalar", "label", "set_label_style",
        "lateral", "having",
        "enable_assertions", "autoflush", "column", "add_cte", "nest", "reduce_columns", "unique", "with_session",
    }
)  # fmt: skip
"""Methods that change neither the conditions nor the order."""
_RUNS = frozenset(
    {"all", "one", "one_or_none", "scalar", "scalars", "count", "exists", "subquery", "cte", "alias", "one_or_404",
     "iterator", "scalar_one",
     "scalar_one_or_none"}
)  # fmt: skip
_SET_OPERATIONS = frozenset({"union", "union_all", "intersect", "except_", "intersect_all", "except_all"})
_STARTS: dict[str, Literal["select", "update", "delete", "insert"]] = {
    "select": "select", "query": "select", "update": "update", "delete": "delete", "insert": "insert",
    "exists": "select",
}  # fmt: skip
_EXECUTES = frozenset(
    {
        "execute",
        "scalars",
        "scalar",
        "exec",
        "stream",
        "stream_scalars",
        "fetch_all",
        "fetch_one",
        "fetch_val",
        "iterate",
    }
)
_PLAIN = frozenset({"text", "cast", "desc", "asc", "aliased", "nulls_last", "nulls_first", "literal", "distinct"})
"""Functions of SQLAlchemy that can also be called as attributes of the module: ``sa.desc(…)``."""
_WRAPPERS = frozenset({"aliased", "with_polymorphic", "lateral", "literal", "bindparam", "type_coerce", "distinct"})


class Chains(Expressions):
    """Evaluates calls; a part of the interpreter (`queries`)."""

    queries: list[PathQuery]

    def text(self, node: ast.Call) -> Value:
        """``text("…")`` as SQL."""
        raise NotImplementedError

    def call(self, node: ast.Call) -> Value:
        """What a call gives."""
        function = node.func
        if isinstance(function, ast.Call) and isinstance(function.func, ast.Attribute) and function.func.attr == "op":
            return self.operator(node)
        if isinstance(function, ast.Attribute):
            return self._method_call(node, function)
        if isinstance(function, ast.Name):
            return self._function_call(node, function.id)
        return self._arguments_only(node)

    def _function_call(self, node: ast.Call, name: str) -> Value:
        imported = self.scope.imports.get(name, "").rsplit(".", 1)[-1]
        name = imported if imported in _STARTS or imported in ("and_", "or_", "not_") else name
        if name in ("and_", "or_", "not_"):
            joined = self.joined(node.args)
            return joined if name == "and_" else alternatives(joined) if name == "or_" else negated(joined)
        if name in _STARTS and name != "query" and name not in self.scope.defined:
            return self._start(node, name)
        if name == "text" and node.args:
            return self.text(node)
        if sorts(name) or name in _WRAPPERS:
            value = self.value(node.args[0]) if node.args else None
            return value if isinstance(value, (Ref, PathQuery)) else None
        if name in ("cast", "func", "any_", "all_", "extract") and node.args:
            value = self.value(node.args[-1] if name == "extract" else node.args[0])
            return Ref(value.path, function=name) if isinstance(value, Ref) else None
        if name in ("list", "tuple", "set") and node.args:
            return self.value(node.args[0])
        if name == "dict":
            return self._words(node.keywords)
        # SQLModel's; it tells type checkers something, and returns its argument.
        if name == "col" and node.args:
            return self.value(node.args[0])
        return self._other_function(node, self.scope.path(node.func))

    def _method_call(self, node: ast.Call, function: ast.Attribute) -> Value:
        name = function.attr
        path = self.scope.path(function)
        head = path.split(".")
        if "func" in head[-2:-1] or (len(head) > 2 and head[-3] == "func"):
            return self._sql_function(node, name)
        if name in ("and_", "or_", "not_") or (name in _PLAIN and path.startswith(("sqlalchemy.", "sqlmodel."))):
            return self._function_call(node, name)
        if name in _STARTS and self._starts_query(node, function, path):
            return self._start(node, name)
        if name == "get" and len(node.args) >= 2 and isinstance(self.value(node.args[0]), Ref):
            return self._by_key(node)
        if name in _EXECUTES and node.args:
            return self._executed(node)
        receiver = self.value(function.value)
        if isinstance(receiver, Ref) and not isinstance(receiver, PathQuery):
            return self._on_path(receiver, name, node)
        if isinstance(receiver, PathQuery):
            return self._step(receiver, name, node)
        if isinstance(receiver, (Items, Words)):
            return self._grow(receiver, name, node, function)
        return self._arguments_only(node)

    def _sql_function(self, node: ast.Call, name: str) -> Value:
        for item in node.args:
            value = self.value(item)
            if isinstance(value, Ref):
                return Ref(value.path, function=name.lower(), taken_out=value.taken_out)
        return None

    def _starts_query(self, node: ast.Call, function: ast.Attribute, path: str) -> bool:
        """``session.query(…)``, ``sa.select(…)``, ``users.select()``; not ``query.update(…)``, which goes on."""
        if function.attr == "query":
            return True
        root = path.split(".")[0]
        if root in ("sqlalchemy", "sqlmodel"):
            return True
        # ``db.select(User)``; a table's own ``users.select()`` has no arguments.
        named = self.value(node.args[0]) if node.args else None
        return isinstance(named, Ref) and named.path.rsplit(".", 1)[-1][:1].isupper() and path != ""

    def _start(self, node: ast.Call, name: str) -> PathQuery:
        query = PathQuery(node.lineno, _STARTS[name], depth=self.scope.depth)
        self.queries.append(query)
        for argument in node.args:
            self._entity(query, self.value(argument.value if isinstance(argument, ast.Starred) else argument))
        return query

    def _entity(self, query: PathQuery, value: Value) -> None:
        if isinstance(value, Ref):
            query.entities.append(value.path)
            query.fetched.append(value.path)
        elif isinstance(value, Items):
            for item in value.values:
                self._entity(query, item)
        elif isinstance(value, PathQuery):
            query.joined += value.entities

    def _by_key(self, node: ast.Call) -> PathQuery:
        """``session.get(User, key)``."""
        query = PathQuery(node.lineno, by_key=True, limit=True, limit_rows=1, depth=self.scope.depth)
        value = self.value(node.args[0])
        assert isinstance(value, Ref)
        query.entities.append(value.path)
        self.queries.append(query)
        return query

    def _executed(self, node: ast.Call) -> Value:
        """``session.execute(statement)``: the statement is finished, and what comes after works on its result."""
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return self.text(node)
        for argument in node.args:
            self.value(argument)
        return None

    def _on_path(self, ref: Ref, name: str, node: ast.Call) -> Value:
        if ref.path.rsplit(".", 1)[-1] in ("query", "objects") and "." in ref.path:
            query = PathQuery(node.lineno, entities=[ref.path.rsplit(".", 1)[0]], depth=self.scope.depth)
            self.queries.append(query)
            return self._step(query, name, node)
        if name in ("any", "has") and not node.keywords and node.args:
            value = self.value(node.args[0])
            return value if isinstance(value, Conditions) else self.method(ref, "any_", node)
        result = self.method(ref, name, node)
        if result is not None:
            return result
        if name in ("select", "update", "delete", "insert"):
            query = PathQuery(node.lineno, _STARTS[name], entities=[ref.path], depth=self.scope.depth)
            self.queries.append(query)
            return query
        if sorts(name):
            return ref
        return self._other_function(node, f"{ref.path}.{name}")

    def _other_function(self, node: ast.Call, path: str) -> Value:
        """A call of the application's own: its query, if it returns one, goes on here."""
        query_argument: PathQuery | None = None
        conditions = Conditions()
        for argument in node.args:
            value = self.value(argument.value if isinstance(argument, ast.Starred) else argument)
            if isinstance(value, PathQuery) and query_argument is None:
                query_argument = value
            elif isinstance(value, Conditions):
                add(conditions, value)
        words = self._words(node.keywords)
        for value in words.values.values():
            query_argument = value if query_argument is None and isinstance(value, PathQuery) else query_argument
        if not path:
            return None
        self.created(path, node.lineno)
        link = Link(path, argument=query_argument)
        query = PathQuery(node.lineno, link=link, complete=conditions.complete, depth=self.scope.depth)
        query.conditions = conditions.items
        query.by_name = [(name, literal_of(value), False) for name, value in words.values.items()]
        if query_argument is not None:
            query_argument.superseded = True
        self.queries.append(query)
        return query

    def created(self, path: str, line: int) -> None:
        """Note that something was called."""
        raise NotImplementedError

    def _arguments_only(self, node: ast.Call) -> Value:
        for argument in node.args:
            self.value(argument.value if isinstance(argument, ast.Starred) else argument)
        for word in node.keywords:
            self.value(word.value)
        return None

    def _words(self, keywords: list[ast.keyword]) -> Words:
        result = Words()
        for word in keywords:
            value = self.value(word.value)
            if word.arg is not None:
                result.values[word.arg] = value
            elif isinstance(value, Words):
                result.values.update(value.values)
                result.complete &= value.complete
            else:
                result.complete = False
        return result

    def _grow(self, receiver: Items | Words, name: str, node: ast.Call, function: ast.Attribute) -> Value:
        """``conditions.append(…)``, ``words.update(…)``."""
        if isinstance(receiver, Items) and name in ("append", "add", "extend"):
            for argument in node.args:
                value = self.value(argument)
                if isinstance(value, Conditions) and self.scope.depth > receiver.depth:
                    for item in value.items:
                        item.optional = True
                receiver.values += value.values if isinstance(value, Items) and name == "extend" else [value]
        elif isinstance(receiver, Words) and name == "update":
            receiver.values.update(self._words(node.keywords).values)
            # `update(other)`: whatever keys it has.
            receiver.complete &= not node.args
        return None

    def step_from(self, query: PathQuery) -> PathQuery:
        """A copy of a query to go on with; the query itself is no longer one that runs."""
        # Two queries may go on from one: `base.where(a)` and `base.where(b)`.
        result = copy(query)
        for name in ("entities", "joined", "conditions", "by_name", "order", "grouped", "fetched", "assigned"):
            setattr(result, name, list(getattr(query, name)))
        result.superseded = False
        query.superseded = True
        self.queries.append(result)
        return result

    def _step(self, before: PathQuery, name: str, node: ast.Call) -> Value:
        if name in _NOTHING or name.startswith("group_concat"):
            self._arguments_only(node)
            return before
        step = _STEPS.get(name)
        if step is not None:
            query = self.step_from(before)
            step(self, query, node)
            return query
        if name in _RUNS or name in _SET_OPERATIONS:
            self._arguments_only(node)
            return before
        if name in ("get", "get_or_404"):
            query = self.step_from(before)
            query.by_key = True
            return query
        self._arguments_only(node)
        return before if before.link is None else self._after_call(before, name, node)

    def _after_call(self, before: PathQuery, name: str, node: ast.Call) -> Value:
        """A method on what a function of the application gives: ``get_repo(session).list(…)``."""
        assert before.link is not None
        before.superseded = True
        return self._other_function(node, f"{before.link.function}().{name}")

    def _where(self, query: PathQuery, node: ast.Call) -> None:
        joined = self.joined(node.args)
        for item in joined.items:
            item.optional |= self.scope.depth > query.depth
        query.conditions += joined.items
        query.complete &= joined.complete

    def _filter_by(self, query: PathQuery, node: ast.Call) -> None:
        words = self._words(node.keywords)
        query.complete &= words.complete
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

    def _distinct(self, query: PathQuery, node: ast.Call) -> None:
        query.distinct = True

    def _command(self, query: PathQuery, node: ast.Call) -> None:
        assert isinstance(node.func, ast.Attribute)
        query.command = "update" if node.func.attr == "update" else "delete"
        self._assigned(query, node)

    def _assigned(self, query: PathQuery, node: ast.Call) -> None:
        """The columns in ``.values(name=…)``, ``.values({User.name: …})`` and ``query.update({"name": …})``."""
        self._arguments_only(node)
        query.assigned += [f"?.{word.arg}" for word in node.keywords if word.arg not in (None, "synchronize_session")]
        for argument in node.args[:1]:
            words = self.value(argument)
            query.assigned += [f"?.{name}" for name in words.values] if isinstance(words, Words) else []
            for key in argument.keys if isinstance(argument, ast.Dict) else ():
                value = self.value(key) if key is not None else None
                query.assigned += [value.path] if isinstance(value, Ref) else []


_STEPS: dict[str, Callable[[Chains, PathQuery, ast.Call], None]] = {
    "where": Chains._where, "filter": Chains._where, "filter_by": Chains._filter_by,
    "join": Chains._join, "outerjoin": Chains._join, "join_from": Chains._join, "select_from": Chains._from,
    "order_by": Chains._order, "group_by": Chains._group, "limit": Chains._limit, "fetch": Chains._limit,
    "first": Chains._first, "first_or_404": Chains._first, "offset": Chains._offset, "slice": Chains._page,
    "paginate": Chains._page,
    "with_for_update": Chains._lock, "distinct": Chains._distinct, "update": Chains._command, "delete": Chains._command,
    "values": Chains._assigned,
}  # fmt: skip
