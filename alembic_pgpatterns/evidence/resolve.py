"""From what the files say to what the application asks: names are followed from file to file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy

from alembic_pgpatterns.evidence.classes import Classes, Declared
from alembic_pgpatterns.evidence.deletions import deletions
from alembic_pgpatterns.evidence.links import for_owner, seen_by, together
from alembic_pgpatterns.evidence.model import Evidence, Place, QueryShape, merged
from alembic_pgpatterns.evidence.symbols import FileFacts, FunctionFacts, PathQuery
from alembic_pgpatterns.evidence.tables import Tables
from alembic_pgpatterns.evidence.written import assigned_columns, inserted_tables, varying_columns

_REPOSITORY = frozenset(
    {"get_one", "get_one_or_none", "list", "list_and_count", "exists", "count", "get", "delete_where", "get_or_upsert"}
)
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
        *deletions(files, classes, shapes),
        varying=frozenset(varying_columns(files, classes)),
        databases=frozenset().union(*(file.databases for file in files)),
        naive=_places((file.path, file.naive) for file in files),
        as_text=_places((file.path, file.as_text) for file in files),
        files=len(files),
        lines=sum(file.lines for file in files),
        queries=resolver.queries + sum(len(file.texts) for file in files),
        understood=resolver.understood + sum(shape.complete for file in files for shape in file.texts),
        unread=tuple(unread),
    )


def _places(files: Iterable[tuple[str, Mapping[str, int]]]) -> dict[str, tuple[Place, ...]]:
    """The places by name: one per file."""
    result: dict[str, tuple[Place, ...]] = {}
    for path, lines in files:
        for name, line in lines.items():
            result[name] = (*result.get(name, ()), Place(path, line))
    return result


def _texts(file: FileFacts) -> Iterator[QueryShape]:
    for text in file.texts:
        if text.command != "insert":
            yield QueryShape(
                text.table, text.command, tuple(text.conditions), tuple(text.order), text.limit, text.limit_rows,
                text.offset, text.lock, text.skip_locked, assigned=text.assigned, complete=text.complete,
                alone=text.alone, text=text.text, part=text.part,
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
                if target is not None and (_adds(query, target) or query.takes or query.takes_words):
                    for item in (target, *self._overriding(target)):
                        result |= {id(item.queries[number]) for number in item.returned}
                        result |= {id(begun) for begun in item.queries if begun.takes or begun.takes_words}
        return result

    def _overriding(self, method: FunctionFacts) -> Iterator[FunctionFacts]:
        """The methods of the classes below that stand in place of one: `self` may be of those."""
        name = method.path.rsplit(".", 1)[-1]
        for path in self.classes.below(method.owner)[1:] if method.owner else ():
            if self._overrides(path, name) and f"{path}.{name}" in self.functions:
                yield self.functions[f"{path}.{name}"]

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
            target = self._target(query, function.owner) if query.link is not None else None
            if target is not None and not _adds(query, target):
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
        yield from Tables(self.classes, whole, function.owner, owner).shapes(
            Place(path, query.line or whole.line, function.path.rsplit(".", 1)[-1])
        )

    def _whole(self, query: PathQuery, function: FunctionFacts, owner: str, depth: int) -> PathQuery | None:
        """The query with what the functions it goes on from put into it; None where it is no query at all."""
        if query.link is None:
            return query
        if query.link.parameter or depth > _DEEP:
            return None
        target = self._target(for_owner(query, function.owner, owner), owner)
        base = _begun(target) if target is not None else None
        if target is not None and base is not None:
            begun = query.link.argument if base.link is not None and base.link.parameter else None
            if begun is not None:
                start = self._whole(begun, function, owner, depth + 1)
                return None if start is None else together(together(start, base), query)
            start = self._whole(base, target, self._seen_as(query, target, function, owner), depth + 1)
            return None if start is None else together(self._inherited(start, query, target, owner, function), query)
        return self._of_repository(query, function.owner, owner)

    def _seen_as(self, query: PathQuery, target: FunctionFacts, function: FunctionFacts, owner: str) -> str:
        """The class whose ``self`` a called method has: the caller's own, or the one that it was called on."""
        if target.owner == function.owner or query.link is None:
            return owner
        called_on = for_owner(query, function.owner, owner).link.function.lstrip("@").rpartition(".")[0]  # type: ignore[union-attr]
        inherits = any(item.path == target.owner for item in self.classes.line(called_on))
        return self.classes.canonical(called_on) if inherits else target.owner

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


def _begun(target: FunctionFacts) -> PathQuery | None:
    """The query from which a caller goes on: what the function returns, or runs with the conditions handed over."""
    if target.returned:
        return target.queries[target.returned[-1]]
    return next((item for item in reversed(target.queries) if item.takes or item.takes_words), None)


def _adds(query: PathQuery, target: FunctionFacts) -> bool:
    """Whether a query that goes on from another function's asks for more than that one."""
    takes = any(item.takes_words for item in target.queries)
    named = any(takes or name.startswith("=") for name, _, _ in query.by_name)
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
