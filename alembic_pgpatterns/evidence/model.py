"""Queries as plain data: what one asks of one table, and where it is written.

The source of an application and a recorded workload both give these shapes. Nothing here knows SQLAlchemy or a
database, so a shape can be cached, compared and sent to another process.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal


class Use(enum.StrEnum):
    """How a query uses a column in a condition. The comment shows SQL of that kind."""

    EQUAL = "equal"  # c = $1
    MEMBER = "member"  # c IN (...), c = ANY (...)
    RANGE = "range"  # c < $1, c BETWEEN $1 AND $2
    IS_NULL = "is null"
    IS_NOT_NULL = "is not null"
    NOT_EQUAL = "not equal"  # c <> $1, c NOT IN (...)
    PREFIX = "prefix"  # c LIKE 'abc%'
    PATTERN = "pattern"  # c LIKE '%abc%', c ~ $1
    CONTAINS = "contains"  # c @> $1, $1 = ANY (c)
    KEY = "key"  # c ? 'key'
    PATH = "path"  # c ->> 'key' = $1
    OVERLAP = "overlap"  # c && $1
    SEARCH = "search"  # c @@ query
    NEAREST = "nearest"  # ORDER BY c <-> $1
    JOIN = "join"  # c = other_table.c
    OTHER = "other"  # the column is there, in a form that no index of the column serves


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the application. ``path`` is relative to the project where it can be; ``line`` counts from 1."""

    path: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One column in a WHERE or ON clause.

    Attributes:
        column: the column's name in the database.
        use: how it is compared.
        literal: the constant it is compared with, as SQL text (``true``, ``'pending'``, ``3``); None for a value that
            changes from call to call.
        function: the function around the column in lower case (``lower``), or empty.
        alternative: it stands in one branch of an OR, so that an index on it alone does not serve the query.
        other: the other side of a JOIN, as (table, column).
        optional: the query is also run without it (it is added under an ``if``).
        operator: of a RANGE or a PATH, as the source has it (``<``, ``between``); ``is`` of an EQUAL that is written so
            (``.is_(True)``); empty if that is not known.
        template: SQL of what is compared, with ``{}`` for the column, where that is more than the column or a function
            of it alone: ``to_tsvector('english', {})``, ``{} ->> 'key'``.
        branch: of which OR, and which of its branches: the conditions of one branch are joined by AND.
    """

    column: str
    use: Use
    literal: str | None = None
    function: str = ""
    alternative: bool = False
    other: tuple[str, str] | None = None
    optional: bool = False
    operator: str = ""
    template: str = ""
    branch: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One column of ORDER BY. ``nulls_first`` is None where the query does not say. ``template``: see `Condition`."""

    column: str
    descending: bool = False
    nulls_first: bool | None = None
    function: str = ""
    template: str = ""


Command = Literal["select", "update", "delete", "insert"]
Lock = Literal["", "update", "no key update", "share", "key share"]


@dataclass(frozen=True, slots=True)
class QueryShape:
    """What one query asks of one table. A query on two tables gives two shapes.

    Attributes:
        table: ``schema.table``, or ``table`` where the source names no schema.
        conditions: the columns of WHERE and ON, in the order of the source.
        order: the columns of ORDER BY.
        limit: the query has a LIMIT (``.first()`` counts). ``limit_rows`` is its number where that is a constant.
        lock: of FOR UPDATE and its kin. ``skip_locked``: with SKIP LOCKED.
        fetched: the columns in the result; empty for all of them, or where that is not known.
        assigned: the columns that an UPDATE sets; empty where that is not known.
        complete: every part of the query was understood. Where it is false there may be more conditions.
        alone: the query reads no other table, through which it may come to its rows.
        aggregates: functions in the result with their columns, (``max``, ``created_at``); ``*`` for all rows.
        joined: what the query asks of its other tables, where it is known how all of them are joined. ``links``: the
            pairs of columns, with their tables, that join them.
        part: it is in ``joined`` of another shape, too.
        text: the whole query, where the source has it as SQL; with ``$n`` for parameters.
        places: where the application asks so, the first one first.
        calls: how often it ran (a recording), else the number of places.
    """

    table: str
    command: Command = "select"
    conditions: tuple[Condition, ...] = ()
    order: tuple[OrderKey, ...] = ()
    limit: bool = False
    limit_rows: int | None = None
    offset: bool = False
    lock: Lock = ""
    skip_locked: bool = False
    distinct: bool = False
    grouped: tuple[str, ...] = ()
    fetched: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    complete: bool = True
    alone: bool = True
    aggregates: tuple[tuple[str, str], ...] = ()
    joined: tuple[QueryShape, ...] = ()
    links: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = ()
    part: bool = False
    text: str = ""
    places: tuple[Place, ...] = field(default=(), compare=False)
    calls: int = field(default=1, compare=False)

    def columns(self, *uses: Use) -> tuple[str, ...]:
        """The columns with one of these uses that every result row must satisfy, each once, in order."""
        return tuple(
            dict.fromkeys(item.column for item in self.conditions if item.use in uses and not item.alternative)
        )

    @property
    def equal(self) -> tuple[str, ...]:
        """The columns that are compared for equality with one value or a list of values."""
        return self.columns(Use.EQUAL, Use.MEMBER)

    @property
    def ranges(self) -> tuple[str, ...]:
        """The columns that are compared with a range."""
        return self.columns(Use.RANGE, Use.PREFIX)


SourceKind = Literal["workload", "statistics", "source"]


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """How often the application asks for a column in one way, and where first."""

    use: Use
    count: int
    first: Place | None
    literals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is known of the application's queries.

    Attributes:
        kind: where it comes from.
        shapes: equal shapes are one, with all their places.
        inserted: tables the application adds rows to, with the first place.
        assigned: table and column where the source gives an attribute of a mapped object a value (other than None and
            False); the table is empty where it is not known.
        deleted: tables of which the application deletes rows.
        deleted_names: what the source calls the rows that it deletes, where it is not known of which table they are.
        varying: table and column that the source compares with values that vary, also where it is not known in which
            query.
        databases: others than PostgreSQL that the models are made for, as options in the source say.
        naive: places by the name of an attribute that the source compares with a time without a zone.
        as_text: places by the name of an attribute that the source slices, or uses in another way that only a text
            allows.
        files, lines: how much source was read.
        queries: how many queries were seen. ``understood``: how many of them are complete.
        unread: files that could not be read, with the reason.
    """

    kind: SourceKind
    shapes: tuple[QueryShape, ...] = ()
    inserted: Mapping[str, Place] = field(default_factory=dict)
    assigned: frozenset[tuple[str, str]] = frozenset()
    deleted: frozenset[str] = frozenset()
    deleted_names: frozenset[str] = frozenset()
    varying: frozenset[tuple[str, str]] = frozenset()
    databases: frozenset[str] = frozenset()
    naive: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    as_text: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    files: int = 0
    lines: int = 0
    queries: int = 0
    understood: int = 0
    unread: tuple[str, ...] = ()

    def of_table(self, schema: str, table: str) -> tuple[QueryShape, ...]:
        """The shapes that ask this table."""
        return self._tables.get(f"{schema}.{table}", ()) + self._tables.get(table, ())

    def uses(self, schema: str, table: str, column: str) -> tuple[ColumnUse, ...]:
        """The conditions on a column, the most frequent use first."""
        places: dict[Use, list[Place]] = defaultdict(list)
        literals: dict[Use, set[str]] = defaultdict(set)
        counts: dict[Use, int] = defaultdict(int)
        for shape in self.of_table(schema, table):
            for item in shape.conditions:
                if item.column == column:
                    counts[item.use] += shape.calls
                    places[item.use] += shape.places
                    literals[item.use] |= {item.literal} if item.literal is not None else set()
        result = [
            ColumnUse(use, count, min(places[use], key=str, default=None), tuple(sorted(literals[use])))
            for use, count in counts.items()
        ]
        return tuple(sorted(result, key=lambda item: -item.count))

    def may_set(self, schema: str, table: str, column: str) -> bool:
        """Whether the application may give this column a value in rows that are there already."""
        if {("", column), (table, column), (f"{schema}.{table}", column)} & self.assigned:
            return True
        updates = (shape for shape in self.of_table(schema, table) if shape.command == "update")
        return any(not shape.assigned or column in shape.assigned for shape in updates)

    def may_vary(self, schema: str, table: str, column: str) -> bool:
        """Whether the source compares a column with more values than it names."""
        return bool({(table, column), (f"{schema}.{table}", column)} & self.varying)

    @property
    def _tables(self) -> Mapping[str, tuple[QueryShape, ...]]:
        cached = self.__dict__.get("_by_table")
        if cached is None:
            grouped: dict[str, list[QueryShape]] = defaultdict(list)
            for shape in self.shapes:
                grouped[shape.table].append(shape)
            cached = {table: tuple(shapes) for table, shapes in grouped.items()}
            object.__setattr__(self, "_by_table", cached)
        return cached


def merged(shapes: Iterable[QueryShape]) -> tuple[QueryShape, ...]:
    """Equal shapes made one, with the places of all and the calls added up; in the order of their first."""
    groups: dict[QueryShape, list[QueryShape]] = {}
    for shape in shapes:
        groups.setdefault(shape, []).append(shape)
    return tuple(_single(group) for group in groups.values())


def _single(group: list[QueryShape]) -> QueryShape:
    if len(group) == 1:
        return group[0]
    first = group[0]
    return QueryShape(
        **{name: getattr(first, name) for name in QueryShape.__dataclass_fields__ if name not in ("places", "calls")},
        places=tuple(dict.fromkeys(place for shape in group for place in shape.places)),
        calls=sum(shape.calls for shape in group),
    )
