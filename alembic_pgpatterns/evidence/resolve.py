"""From what the files say to what the application asks: names are followed from file to file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace

from alembic_pgpatterns.evidence.classes import Classes, Declared
from alembic_pgpatterns.evidence.conditions import OPPOSITE
from alembic_pgpatterns.evidence.links import for_owner, seen_by, together
from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, Place, QueryShape, Use, merged
from alembic_pgpatterns.evidence.symbols import FileFacts, FunctionFacts, PathCondition, PathQuery
from alembic_pgpatterns.evidence.written import assigned_columns, inserted_tables

_REPOSITORY = frozenset(
    {"get_one", "get_one_or_none", "list", "list_and_count", "exists", "count", "get", "delete_where", "get_or_upsert"}
)
_CONTAINERS = ("JSON", "ARRAY", "HSTORE", "TSVECTOR", "list", "dict", "List", "Dict", "TSVectorType")
_DEEP = 6


def evidence_of(files: Sequence[FileFacts], declared: Declared, unread: Sequence[str] = ()) -> Evidence:
    """What an application asks.

    Args:
        files: all its files.
        declared: see `Classes`.
        unread: files that could not be read, with the reason.
    """
    classes = Classes(files, declared)
    functions = {function.path: function for file in files for function in file.functions}
    resolver = _Resolver(classes, functions)
    shapes: list[QueryShape] = []
    for file in files:
        for function in file.functions:
            shapes += resolver.shapes(function, file.path)
        shapes += _texts(file)
    return Evidence(
        "source",
        merged(shapes),
        inserted_tables(files, classes),
        frozenset(assigned_columns(files, classes)),
        files=len(files),
        lines=sum(file.lines for file in files),
        queries=resolver.queries + sum(len(file.texts) for file in files),
        understood=resolver.understood + sum(shape.complete for file in files for shape in file.texts),
        unread=tuple(unread),
    )


def _texts(file: FileFacts) -> Iterator[QueryShape]:
    for text in file.texts:
        if text.command != "insert":
            yield QueryShape(
                text.table, text.command, tuple(text.conditions), tuple(text.order), text.limit, text.limit_rows,
                text.offset, text.lock, text.skip_locked, assigned=text.assigned, complete=text.complete,
                places=(Place(file.path, text.line, text.function),),
            )  # fmt: skip


class _Resolver:
    def __init__(self, classes: Classes, functions: dict[str, FunctionFacts]) -> None:
        self.classes, self.functions = classes, functions
        self.queries = self.understood = 0
        self._continued = self._find_continued()

    def _find_continued(self) -> set[int]:
        """Queries that another function goes on from: they do not run as they are."""
        result: set[int] = set()
        for function in self.functions.values():
            for query in function.queries:
                target = self._target(query, function.owner) if query.link is not None else None
                if target is not None and _adds(query):
                    result |= {id(target.queries[number]) for number in target.returned}
        return result

    def _target(self, query: PathQuery, owner: str) -> FunctionFacts | None:
        assert query.link is not None
        path = query.link.function
        if not path.startswith("@"):
            return self.functions.get(path) or self.functions.get(self.classes.canonical(path))
        head, _, name = path[1:].rpartition(".")
        for candidate in (head, self.classes.canonical(head)):
            if self.classes.get(candidate) is not None:
                return self.classes.method(self.functions, candidate, name)
        return None

    def shapes(self, function: FunctionFacts, path: str) -> Iterator[QueryShape]:
        """The shapes of a function's queries; of a repository's method, for each class that it is used for."""
        for query in function.queries:
            if query.superseded or id(query) in self._continued:
                continue
            if query.link is not None and not _adds(query) and self._target(query, function.owner) is not None:
                continue  # it is what the other function returns, and counted there
            seen: set[tuple[QueryShape, ...]] = set()
            for owner in self._owners(function, query):
                shapes = tuple(self._query(query, function, owner, path))
                if shapes and shapes not in seen:
                    seen.add(shapes)
                    yield from shapes
            if seen:
                self.queries += 1
                self.understood += all(shape.complete for shapes in seen for shape in shapes)

    def _owners(self, function: FunctionFacts, query: PathQuery) -> list[str]:
        if not function.owner or not _mentions_self(query):
            return [function.owner]
        name = function.path.rsplit(".", 1)[-1]
        below = self.classes.below(function.owner)
        return [path for path in below if path == function.owner or not self._overrides(path, name)]

    def _overrides(self, path: str, name: str) -> bool:
        declaration = self.classes.get(path)
        return declaration is not None and name in declaration.methods

    def _query(self, query: PathQuery, function: FunctionFacts, owner: str, path: str) -> Iterator[QueryShape]:
        whole = self._whole(query, function, owner, 0)
        if whole is None:
            return
        yield from _Tables(self.classes, whole, function.owner, owner).shapes(
            Place(path, query.line or whole.line, function.path.rsplit(".", 1)[-1])
        )

    def _whole(self, query: PathQuery, function: FunctionFacts, owner: str, depth: int) -> PathQuery | None:
        """The query with what the functions it goes on from put into it; None where it is no query at all."""
        if query.link is None:
            return query
        if query.link.parameter or depth > _DEEP:
            return None
        target = self._target(for_owner(query, function.owner, owner), owner)
        if target is not None and target.returned:
            base = target.queries[target.returned[-1]]
            begun = query.link.argument if base.link is not None and base.link.parameter else None
            if begun is not None:
                start = self._whole(begun, function, owner, depth + 1)
                return None if start is None else together(together(start, base), query)
            start = self._whole(base, target, owner if target.owner == function.owner else target.owner, depth + 1)
            return None if start is None else together(self._inherited(start, query, target, owner, function), query)
        return self._of_repository(query, function.owner, owner)

    def _inherited(
        self, start: PathQuery, query: PathQuery, target: FunctionFacts, owner: str, function: FunctionFacts
    ) -> PathQuery:
        """What an inherited method begins, as the class sees it that calls it: its ``self.model`` is that class's."""
        assert query.link is not None
        caller = for_owner(query, function.owner, owner).link.function.lstrip("@").rpartition(".")[0]  # type: ignore[union-attr]
        inherits = target.owner != caller and any(item.path == target.owner for item in self.classes.line(caller))
        return seen_by(start, target.owner, caller) if inherits else start

    def _of_repository(self, query: PathQuery, written: str, owner: str) -> PathQuery | None:
        assert query.link is not None
        path = for_owner(query, written, owner).link.function  # type: ignore[union-attr]
        head, _, name = path.lstrip("@").rpartition(".")
        model = self._repository_model(head) if path.startswith("@") and name in _REPOSITORY else None
        result = copy(query)
        if model is not None:
            result.entities = [model]
            result.by_name = [
                (f"={key}", literal, optional) for key, literal, optional in query.by_name if key.isidentifier()
            ]
            result.by_key = name == "get"
            result.link = None
            return result
        if not query.conditions:
            return None
        result.by_name, result.complete, result.link = [], False, None
        return result

    def _repository_model(self, head: str) -> str | None:
        if self.classes.get(head) is not None:
            return self.classes.repository_of(head)
        owner, _, attribute = head.rpartition(".")
        declared = next((item for item in self.classes.line(owner) if attribute in item.values), None)
        return self.classes.repository_of(declared.values[attribute]) if declared is not None else None


def _adds(query: PathQuery) -> bool:
    """Whether a query that goes on from another function's asks for more than that one."""
    named = any(name.startswith("=") for name, _, _ in query.by_name)
    handed = query.link is not None and query.link.argument is not None
    return bool(query.conditions or query.order or named or query.limit or query.lock or handed)


def _mentions_self(query: PathQuery) -> bool:
    paths = (
        *query.entities,
        *query.joined,
        *(item.path for item in query.conditions),
        *(key.path for key in query.order),
    )
    linked = query.link is not None and query.link.function.startswith("@")
    return linked or any(path.startswith("@") for path in paths)


class _Tables:
    """One query, told apart by its tables."""

    def __init__(self, classes: Classes, query: PathQuery, written: str, owner: str) -> None:
        self.classes, self.query, self.written, self.owner = classes, query, written, owner
        self.complete = query.complete
        self.conditions: dict[str, list[Condition]] = defaultdict(list)
        self.order: dict[str, list[OrderKey]] = defaultdict(list)
        self.grouped: dict[str, list[str]] = defaultdict(list)

    def shapes(self, place: Place) -> Iterator[QueryShape]:
        """A shape per table, the main one first."""
        entities = [entity for path in self.query.entities if (entity := self._entity(path)) is not None]
        joined = [entity for path in self.query.joined if (entity := self._entity(path)) is not None]
        main = entities[0] if entities else None
        self._named(joined[-1] if joined else main)
        self._by_primary_key(main)
        for item in self.query.conditions:
            self._condition(item, main)
        self._ordered(main)
        tables = dict.fromkeys(filter(None, map(self.classes.table, (*entities, *joined))))
        tables |= dict.fromkeys((*self.conditions, *self.order))
        alone = len(tables) < 2 and not self.query.joined
        primary = self.classes.table(main) if main is not None else next(iter(tables), None)
        for table in tables:
            if table == primary or self.conditions[table] or self.order[table]:
                yield replace(self._shape(table, table == primary, entities, place), alone=alone)

    def _shape(self, table: str, primary: bool, entities: list[str], place: Place) -> QueryShape:
        query = self.query
        whole = any(path.rsplit(".", 1)[-1] == item.rsplit(".", 1)[-1] for path in query.fetched for item in entities)
        fetched = () if whole or not primary else tuple(dict.fromkeys(self._named_columns(table, query.fetched)))
        return QueryShape(
            table=table,
            command=query.command if primary else "select",
            conditions=tuple(dict.fromkeys(self.conditions[table])),
            order=tuple(self.order[table]),
            limit=query.limit and primary,
            limit_rows=query.limit_rows if primary else None,
            offset=query.offset and primary,
            lock=query.lock if primary else "",
            skip_locked=query.skip_locked and primary,
            distinct=query.distinct and primary,
            grouped=tuple(self.grouped[table]),
            fetched=fetched,
            assigned=tuple(dict.fromkeys(self._named_columns(table, query.assigned, next(iter(entities), None))))
            if primary
            else (),
            complete=self.complete,
            places=(place,),
        )

    def _named_columns(self, table: str, paths: Sequence[str], main: str | None = None) -> Iterator[str]:
        for path in paths:
            column = self._column(path, main)
            if column is not None and column[0] == table:
                yield column[1]

    def _entity(self, path: str) -> str | None:
        """The mapped class a path means, or whose column or relationship it is."""
        owner = self._owner(path)
        if owner is not None:
            return owner
        head, _, attribute = path.rpartition(".")
        below = self._owner(head) if head else None
        if below is None:
            return None
        target = self.classes.relationship(below, attribute)
        if target is not None and self.classes.table(target) is not None:
            return self.classes.canonical(target)
        return below if self.classes.column(below, attribute) is not None else None

    def _owner(self, path: str) -> str | None:
        """The mapped class that a whole path means."""
        if not path.startswith("@"):
            return self.classes.canonical(path) if self.classes.table(path) is not None else None
        rest = path[1:]
        if self.written and (rest == self.written or rest.startswith(f"{self.written}.")):
            rest = self.owner + rest[len(self.written) :]
        if self.classes.table(rest) is not None:
            return self.classes.canonical(rest)
        head, _, attribute = rest.rpartition(".")
        return self.classes.bound(head, attribute) if self.classes.get(head) is not None else None

    def _column(self, path: str, main: str | None = None) -> tuple[str, str, str] | None:
        """Table, column and type of a path; ``?.name`` is a column of the main table."""
        head, _, attribute = path.rpartition(".")
        if attribute in ("expression", "comparator") and head:
            return self._column(head, main)
        owner = main if head == "?" else self._owner(head) if head else None
        if owner is None:
            return None
        column = self.classes.column(owner, attribute)
        table = self.classes.table(owner)
        if column is None or table is None:
            return None
        return table, column.name, column.kind

    def _condition(self, item: PathCondition, main: str | None) -> None:
        left, right = self._column(item.path, main), self._column(item.other, main) if item.other else None
        if left is None and right is None:
            self.complete &= self._hybrid(item, main) or self._related(item)
            return
        if left is not None and right is not None and item.use is Use.EQUAL:
            self._join(left, right, item)
            return
        table, column, kind = left or right or ("", "", "")
        use = Use.PATTERN if item.use is Use.CONTAINS and not any(word in kind for word in _CONTAINERS) else item.use
        self.conditions[table].append(
            Condition(column, use, item.literal, item.function, item.alternative, None, item.optional, item.operator)
        )

    def _hybrid(self, item: PathCondition, main: str | None) -> bool:
        """A hybrid property that tests columns, itself tested for true or false; or one that is a function of one."""
        head, _, attribute = item.path.rpartition(".")
        owner = main if head == "?" else self._owner(head) if head else None
        computed = self.classes.computed(owner, attribute) if owner is not None else None
        if computed is not None:
            self._condition(replace(item, path=f"{head}.{computed[0]}", function=computed[1]), main)
            return True
        tests = self.classes.tests(owner, attribute) if owner is not None else ()
        # What is not true of a and b together says of neither that it is false.
        if item.use is not Use.EQUAL or item.literal not in ("true", "false")[: 2 if len(tests) == 1 else 1]:
            return False
        for name, use, literal, operator in tests:
            opposite = OPPOSITE.get(use, Use.OTHER) if item.literal == "false" else use
            self._condition(
                PathCondition(f"{head}.{name}", opposite, literal, "", item.alternative, "", item.optional, operator),
                main,
            )
        return bool(tests)

    def _related(self, item: PathCondition) -> bool:
        """``Post.author == user``: a condition on the foreign key of that relationship."""
        head, _, attribute = item.path.rpartition(".")
        owner = self._owner(head) if head else None
        key = self._key_of(owner, attribute)
        if owner is None or key is None or item.use not in (Use.EQUAL, Use.NOT_EQUAL, Use.IS_NULL, Use.IS_NOT_NULL):
            return False
        table = self.classes.table(owner) or ""
        self.conditions[table].append(Condition(key, item.use, None, "", item.alternative, None, item.optional))
        return True

    def _key_of(self, owner: str | None, attribute: str) -> str | None:
        target = self.classes.relationship(owner, attribute) if owner is not None else None
        return self.classes.key_to(owner, target) if owner is not None and target is not None else None

    def _join(self, left: tuple[str, str, str], right: tuple[str, str, str], item: PathCondition) -> None:
        for side, other in ((left, right), (right, left)):
            joined = Condition(side[1], Use.JOIN, None, item.function, item.alternative, other[:2], item.optional)
            self.conditions[side[0]].append(joined)

    def _named(self, entity: str | None) -> None:
        """``filter_by(name=…)`` asks the table that was joined last."""
        for name, literal, optional in self.query.by_name:
            if not name.startswith("="):
                continue
            column = self.classes.column(entity, name[1:]) if entity is not None else None
            table = self.classes.table(entity) if entity is not None else None
            if column is None or table is None:
                key = self._key_of(entity, name[1:])
                if key is None or table is None:
                    self.complete = False
                else:
                    use = Use.IS_NULL if literal == "null" else Use.EQUAL
                    self.conditions[table].append(Condition(key, use, optional=optional))
            elif literal == "null":
                self.conditions[table].append(Condition(column.name, Use.IS_NULL, optional=optional))
            else:
                self.conditions[table].append(Condition(column.name, Use.EQUAL, literal, optional=optional))

    def _by_primary_key(self, main: str | None) -> None:
        table = self.classes.table(main) if main is not None and self.query.by_key else None
        if table is not None and main is not None:
            self.conditions[table] += [Condition(name, Use.EQUAL) for name in self.classes.keys(main)]

    def _ordered(self, main: str | None) -> None:
        for key in self.query.order:
            path = key.path if "." in key.path else f"?.{key.path}"
            column = self._column(path, main)
            if column is None:
                self.complete &= bool(key.function)
            else:
                self.order[column[0]].append(OrderKey(column[1], key.descending, key.nulls_first, key.function))
        for path in self.query.grouped:
            column = self._column(path, main)
            if column is not None:
                self.grouped[column[0]].append(column[1])
