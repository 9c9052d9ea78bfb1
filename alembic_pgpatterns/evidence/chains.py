"""Chains of calls that build a query: ``select(User).where(…)``, ``session.query(User)``, ``User.query``."""

from __future__ import annotations

import ast
from copy import copy
from typing import Literal

from alembic_pgpatterns.evidence.conditions import add, literal_of, negated, sorts
from alembic_pgpatterns.evidence.scope import Conditions, Items, Ref, Value, Words
from alembic_pgpatterns.evidence.steps import STEPS, Steps
from alembic_pgpatterns.evidence.symbols import Link, PathQuery

_NOTHING = frozenset(
    {
        "options", "execution_options", "add_columns", "add_entity", "with_entities", "correlate", "correlate_except",
        "params", "populate_existing", "yield_per", "returning", "enable_eagerloads", "with_only_columns",
        "prefix_with", "suffix_with", "with_hint", "label", "set_label_style", "having",
        "enable_assertions", "autoflush", "column", "add_cte", "nest", "reduce_columns", "unique", "with_session",
    }
)  # fmt: skip
"""Methods that change neither the conditions nor the order."""
_RUNS = frozenset(
    {"all", "one", "one_or_none", "scalar", "scalars", "subquery", "cte", "alias", "one_or_404",
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
_PLAIN = frozenset(
    {"text", "tuple_", "cast", "desc", "asc", "aliased", "nulls_last", "nulls_first", "literal", "distinct"}
)
"""Functions of SQLAlchemy that can also be called as attributes of the module: ``sa.desc(…)``."""
_WRAPPERS = frozenset({"aliased", "with_polymorphic", "lateral", "literal", "bindparam", "type_coerce", "distinct"})


AGGREGATES = frozenset({"count", "min", "max", "sum", "avg"})


class Chains(Steps):
    """Evaluates calls; a part of the interpreter (`queries`)."""

    queries: list[PathQuery]

    def text(self, node: ast.Call) -> Value:
        """``text("…")`` as SQL."""
        raise NotImplementedError

    def call(self, node: ast.Call) -> Value:
        """What a call gives."""
        function = node.func
        named = function.func if isinstance(function, ast.Call) else None
        if isinstance(named, ast.Attribute) and named.attr in ("op", "bool_op"):
            return self.operator(node)
        if isinstance(function, ast.Attribute):
            return self._method_call(node, function)
        if isinstance(function, ast.Name):
            return self._function_call(node, function.id)
        self.arguments_only(node)
        return None

    def _function_call(self, node: ast.Call, name: str) -> Value:
        imported = self.scope.imports.get(name, "").rsplit(".", 1)[-1]
        name = imported if imported in _STARTS or imported in ("and_", "or_", "not_") else name
        if name in ("and_", "or_", "not_"):
            if name == "or_":
                return self.either(node.args, node)
            joined = self.joined(node.args)
            return joined if name == "and_" else negated(joined)
        if name in _STARTS and name != "query" and name not in self.scope.defined and (node.args or name != "delete"):
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
        if name == "tuple_" and node.args:
            # A row is beyond another only if its first column is not before that of the other.
            values = [self.value(item) for item in node.args]
            return values[0]
        if name == "dict":
            return self.words(node.keywords)
        # SQLModel's; it tells type checkers something, and returns its argument.
        if name == "col" and node.args:
            return self.value(node.args[0])
        return self._other_function(node, self.scope.path(node.func))

    def _method_call(self, node: ast.Call, function: ast.Attribute) -> Value:
        name = function.attr
        path = self.scope.path(function)
        if name == "delete" and len(node.args) == 1:
            self.deleted(function.value, node.args[0])
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
        self.arguments_only(node)
        return None

    def _sql_function(self, node: ast.Call, name: str) -> Value:
        values = [self.value(item) for item in node.args]
        ref = next((value for value in values if isinstance(value, Ref)), None)
        if ref is None:
            return Ref("*", function="count") if name == "count" and not values else None
        template = _template(name.lower(), values, ref) if len(values) > 1 or ref.function else ""
        return Ref(ref.path, name.lower(), ref.taken_out, template, ref.keys)

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

    def _start(self, node: ast.Call, name: str) -> PathQuery | None:
        if name == "delete" and _is_runtime_table(self.value(node.args[0]) if node.args else None):
            # It says nothing of the tables of the models: the application makes others while it runs.
            return None
        query = PathQuery(node.lineno, _STARTS[name], depth=self.scope.depth, nested=name == "exists")
        self.queries.append(query)
        for argument in node.args:
            self._entity(query, self.value(argument.value if isinstance(argument, ast.Starred) else argument))
        return query

    def _entity(self, query: PathQuery, value: Value) -> None:
        if isinstance(value, Ref):
            if value.function in AGGREGATES and not value.template:
                query.aggregates.append((value.function, value.path))
            if value.path == "*":
                return
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
        if name in ("join", "outerjoin") and node.args:
            return Items([ref, *(self.value(item) for item in node.args)])
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
        words = self.words(node.keywords)
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

    def deleted(self, session: ast.expr, row: ast.expr) -> None:
        """Note that a row is deleted."""
        raise NotImplementedError

    def arguments_only(self, node: ast.Call) -> None:
        """Evaluate the arguments for the queries in them."""
        for argument in node.args:
            self.value(argument.value if isinstance(argument, ast.Starred) else argument)
        for word in node.keywords:
            self.value(word.value)
        return

    def words(self, keywords: list[ast.keyword]) -> Words:
        """Keyword arguments."""
        result = Words()
        for word in keywords:
            value = self.value(word.value)
            if word.arg is not None:
                result.values[word.arg] = value
            elif isinstance(value, Words):
                result.values.update(value.values)
                result.complete &= value.complete
                result.handed |= value.handed
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
            receiver.values.update(self.words(node.keywords).values)
            # `update(other)`: whatever keys it has.
            receiver.complete &= not node.args
        return None

    def step_from(self, query: PathQuery) -> PathQuery:
        """A copy of a query to go on with; the query itself is no longer one that runs."""
        # Two queries may go on from one: `base.where(a)` and `base.where(b)`.
        result = copy(query)
        lists = ("entities", "joined", "conditions", "by_name", "order", "grouped", "fetched", "assigned", "aggregates")
        for name in lists:
            setattr(result, name, list(getattr(query, name)))
        result.superseded = False
        query.superseded = True
        self.queries.append(result)
        return result

    def _step(self, before: PathQuery, name: str, node: ast.Call) -> Value:
        if name in _NOTHING or name.startswith("group_concat"):
            self.arguments_only(node)
            return before
        step = STEPS.get(name)
        if step is not None:
            query = self.step_from(before)
            step(self, query, node)
            return query
        if name in _RUNS or name in _SET_OPERATIONS:
            self.arguments_only(node)
            return before
        if name in ("get", "get_or_404"):
            query = self.step_from(before)
            query.by_key = True
            return query
        self.arguments_only(node)
        return before if before.link is None else self._after_call(before, name, node)

    def _after_call(self, before: PathQuery, name: str, node: ast.Call) -> Value:
        """A method on what a function of the application gives: ``get_repo(session).list(…)``."""
        assert before.link is not None
        before.superseded = True
        return self._other_function(node, f"{before.link.function}().{name}")


def _is_runtime_table(value: Value) -> bool:
    """Whether it is ``sqlalchemy.table(…)``, which no model is."""
    link = value.link if isinstance(value, PathQuery) else None
    return link is not None and link.function in ("sqlalchemy.table", "sqlalchemy.sql.table")


def _template(name: str, values: list[Value], ref: Ref) -> str:
    """``to_tsvector('english', {})``; empty where another argument is no constant."""
    inner = ref.template or (f"{ref.function}({{}})" if ref.function else "{}")
    parts = [inner if value is ref else literal_of(value) for value in values]
    return f"{name}({', '.join(part for part in parts if part is not None)})" if None not in parts else ""
