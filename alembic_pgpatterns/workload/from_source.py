"""The queries in an application's source as a workload, which every project has.

How often a query runs and with which values the source does not say; each shape counts once and is planned for any
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, QueryShape, Use
from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.workload.model import SOURCE, Recorded, Site, Usage, Workload, merged
from alembic_pgpatterns.workload.text import read

USUAL_LIMIT = 20
"""Rows of a LIMIT whose number is not in the source."""

_OPERATORS = {
    Use.EQUAL: "=",
    Use.JOIN: "=",
    Use.RANGE: ">=",
    Use.NOT_EQUAL: "<>",
    Use.CONTAINS: "@>",
    Use.OVERLAP: "&&",
    Use.KEY: "?",
    Use.SEARCH: "@@",
}


def workload_of(evidence: Evidence, whole: bool = False) -> Workload:
    """The shapes of an application's queries as statements with their places.

    Args:
        evidence: of the source.
        whole: a query of several tables is one statement, as it is sent. Otherwise it is one for each table.
    """
    statements = [item for shape in evidence.shapes for item in _statements(shape, whole)]
    notes = (
        f"read from the source: {evidence.understood} of {evidence.queries} queries in {evidence.files} files were "
        "understood; how often they run and with which values is not known",
    )
    return merged([Workload(tuple(statements), SOURCE, notes=notes)])


def _statements(shape: QueryShape, whole: bool) -> Iterator[Recorded]:
    """The statement with all its conditions and, if an ``if`` adds some, the one without them."""
    if whole and shape.part:
        return
    for text in dict.fromkeys((_text(shape, whole), _text(_always(shape), whole))):
        reading = read(text) if text is not None else None
        if text is not None and reading is not None:
            usages = tuple(Usage(Site(place.path, place.line, place.function), 1) for place in shape.places)
            yield Recorded(reading.fingerprint, text, reading.kind, max(1, len(usages)), usages=usages)


def _always(shape: QueryShape) -> QueryShape:
    """The shape without what an ``if`` adds."""
    conditions = tuple(item for item in shape.conditions if not item.optional)
    return replace(shape, conditions=conditions, joined=tuple(map(_always, shape.joined)))


def _text(shape: QueryShape, whole: bool) -> str | None:
    """SQL of a shape; None if no index could serve it."""
    if whole and shape.text:
        return shape.text
    names = [_relation(item).rpartition(".")[2] for item in (shape, *shape.joined)]
    if whole and shape.joined and shape.command == "select" and len(set(names)) == len(names):
        return _Select((shape, *shape.joined), shape.links).text()
    return _Select((shape,)).text() if shape.command == "select" else _changing(shape)


def _relation(shape: QueryShape) -> str:
    schema, _, name = shape.table.rpartition(".")
    return str(Name(schema, name)) if schema else quote(name)


def _changing(shape: QueryShape) -> str | None:
    """An UPDATE or DELETE."""
    parameters = iter(range(1, 1000))
    where = _where(shape.conditions, parameters, lambda name: quote(name))
    if shape.command == "delete":
        return " ".join(("DELETE FROM", _relation(shape), "WHERE", where)) if where else None
    # Which columns an UPDATE sets is not always known. Then it is the SELECT that finds its rows.
    if not shape.assigned or not where:
        return _Select((shape,)).text()
    assigned = ", ".join(f"{quote(name)} = ${next(parameters)}" for name in shape.assigned)
    return " ".join(("UPDATE", _relation(shape), "SET", assigned, "WHERE", where))


class _Select:
    """A SELECT from one table, or from several that are joined."""

    def __init__(
        self, shapes: Sequence[QueryShape], links: Sequence[tuple[tuple[str, str], tuple[str, str]]] = ()
    ) -> None:
        self._shapes, self._links = shapes, links
        self._parameters = iter(range(1, 1000))

    def text(self) -> str | None:
        """The statement; None if no index could serve it."""
        main = self._shapes[0]
        wheres = [_where(self._filters(shape), self._parameters, self._named(shape)) for shape in self._shapes]
        where = " AND ".join(filter(None, wheres))
        order = [(shape, key) for shape in self._shapes for key in shape.order]
        grouped = [self._named(shape)(name) for shape in self._shapes for name in shape.grouped]
        if not where and not (order and main.limit) and not self._aggregates():
            return None
        words = ["SELECT", self._fetched(grouped), "FROM", self._from(), f"WHERE {where}" if where else ""]
        words += [f"GROUP BY {', '.join(grouped)}"] if grouped else []
        if not grouped and not self._aggregates():
            keys = [_order(key, self._named(shape)) for shape, key in order]
            words += [f"ORDER BY {', '.join(keys)}"] if keys else []
            words += [f"LIMIT {main.limit_rows or USUAL_LIMIT}"] if main.limit else []
            words += [f"FOR {main.lock.upper()}"] if main.lock and len(self._shapes) == 1 else []
            words += ["SKIP LOCKED"] if main.skip_locked and len(self._shapes) == 1 else []
        return " ".join(word for word in words if word)

    def _named(self, shape: QueryShape) -> Callable[[str], str]:
        prefix = f"{quote(shape.table.rpartition('.')[2])}." if len(self._shapes) > 1 else ""
        return lambda name: f"{prefix}{quote(name)}"

    def _filters(self, shape: QueryShape) -> list[Condition]:
        """The conditions without the joins, which stand in FROM."""
        linked = {column for pair in self._links for column in pair}
        return [
            item
            for item in shape.conditions
            if not (item.use is Use.JOIN and (shape.table, item.column) in linked and item.other in linked)
        ]

    def _from(self) -> str:
        result, connected = _relation(self._shapes[0]), {self._shapes[0].table}
        waiting = list(self._shapes[1:])
        while waiting:
            shape = next(item for item in waiting if self._conditions(item, connected))
            waiting.remove(shape)
            result += f" JOIN {_relation(shape)} ON {' AND '.join(self._conditions(shape, connected))}"
            connected.add(shape.table)
        return result

    def _conditions(self, shape: QueryShape, connected: set[str]) -> list[str]:
        """How a table is joined with those that are there already."""
        pairs = [pair for first, second in self._links for pair in ((first, second), (second, first))]
        by_table = {item.table: self._named(item) for item in self._shapes}
        return list(
            dict.fromkeys(
                f"{by_table[column[0]](column[1])} = {by_table[other[0]](other[1])}"
                for column, other in pairs
                if column[0] == shape.table and other[0] in connected
            )
        )

    def _aggregates(self) -> list[str]:
        return [
            f"{function}({name if name == '*' else self._named(shape)(name)})"
            for shape in self._shapes
            for function, name in shape.aggregates
        ]

    def _fetched(self, grouped: Sequence[str]) -> str:
        """The columns in the result; all of the main table where that is not known."""
        aggregates = self._aggregates()
        if grouped or aggregates:
            return ", ".join((*grouped, *(aggregates or ["count(*)"])))
        columns = [self._named(shape)(name) for shape in self._shapes for name in shape.fetched]
        whole = not self._shapes[0].fetched
        everything = f"{quote(self._shapes[0].table.rpartition('.')[2])}.*" if len(self._shapes) > 1 else "*"
        return ", ".join([everything] if whole else columns)


def _where(conditions: Sequence[Condition], parameters: Iterator[int], named: Callable[[str], str]) -> str:
    """The conditions of one table; the branches of each OR together."""
    parts: list[str] = []
    branches: dict[int, dict[tuple[int, int], list[str]]] = {}
    for number, item in enumerate(conditions):
        text = _condition(item, parameters, named)
        if text and not item.alternative:
            parts.append(text)
        elif text:
            group, branch = item.branch or (-1, number)
            branches.setdefault(group, {}).setdefault((group, branch), []).append(text)
    for either in branches.values():
        texts = [" AND ".join(texts) for texts in either.values()]
        parts.append(f"({' OR '.join(texts)})" if len(texts) > 1 else texts[0])
    return " AND ".join(parts)


def _term(column: str, function: str, template: str) -> str:
    if template:
        return template.replace("{}", column)
    return f"{function}({column})" if function.isidentifier() else column


def _condition(item: Condition, parameters: Iterator[int], named: Callable[[str], str]) -> str | None:
    column = named(item.column)
    term = _term(column, item.function, item.template)
    if item.use in (Use.IS_NULL, Use.IS_NOT_NULL):
        return f"{column} {item.use.value.upper()}"
    if item.use is Use.MEMBER or (item.use is Use.PATH and item.operator == "in" and item.template):
        return f"{term} IN ({item.literal})" if item.literal else f"{term} = ANY (${next(parameters)})"
    if item.use is Use.PREFIX:
        # A constant: of a parameter the planner does not know that it begins without a wildcard.
        return f"{term} LIKE 'abcd%'"
    if item.use is Use.PATTERN:
        return f"{term} LIKE '%abcdef%'"
    if item.use is Use.RANGE and item.operator == "between":
        return f"{term} BETWEEN ${next(parameters)} AND ${next(parameters)}"
    # `= true` for `IS true`: the servers before 17 prove a predicate from it as well.
    operator = item.operator if item.operator not in ("", "is") else _OPERATORS.get(item.use, "")
    if item.use in _OPERATORS or (item.use is Use.PATH and item.operator == "=" and item.template):
        return f"{term} {operator} {item.literal or f'${next(parameters)}'}"
    return None


def _order(key: OrderKey, named: Callable[[str], str]) -> str:
    term = _term(named(key.column), key.function, key.template)
    nulls = "" if key.nulls_first is None else " NULLS FIRST" if key.nulls_first else " NULLS LAST"
    return f"{term}{' DESC' if key.descending else ''}{nulls}"
