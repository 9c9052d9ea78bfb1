"""What the application asks of a table, and how a finding reports it.

Each function returns a text with a count and the first place, or None if nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from alembic_pgpatterns.evidence.model import Condition, QueryShape, Use
from alembic_pgpatterns.schema.model import Column, Schema, Table

ONE_VALUE = frozenset({Use.EQUAL, Use.MEMBER})
JOINED = frozenset({Use.EQUAL, Use.MEMBER, Use.JOIN})
RANGES = frozenset({Use.RANGE, Use.PREFIX})


def queries_on(schema: Schema, table: Table) -> tuple[QueryShape, ...]:
    """The queries of the application on a table; none if nothing was recorded or read."""
    if schema.evidence is None:
        return ()
    return schema.evidence.of_table(table.name.schema, table.name.name)


def not_found_otherwise(schema: Schema, table: Table, besides: str | None = None) -> list[QueryShape]:
    """The queries on a table of which no index finds the rows by a column that they compare with one value.

    Args:
        schema: with the queries.
        table: the table.
        besides: a column whose index does not count.
    """
    first = {index.columns[0] for index in table.indexes if index.keys} - {besides}
    return [shape for shape in queries_on(schema, table) if not first & set(shape.equal)]


def counted(words: str, shapes: Iterable[QueryShape]) -> str | None:
    """``words`` with how often and where first: "searched in 3 queries, first app/repos.py:41"."""
    listed = list(shapes)
    if not listed:
        return None
    count = sum(shape.calls for shape in listed)
    places = sorted((place for shape in listed for place in shape.places), key=lambda place: (place.path, place.line))
    first = f", first {places[0]}" if len(places) > 1 else f", {places[0]}" if places else ""
    return f"{words} in {count} {'query' if count == 1 else 'queries'}{first}"


def with_condition(
    shapes: Iterable[QueryShape], column: str, uses: Iterable[Use], fits: Callable[[Condition], bool] | None = None
) -> list[QueryShape]:
    """The shapes with such a condition on the column that every row of the result satisfies."""
    kinds = frozenset(uses)
    return [
        shape
        for shape in shapes
        if any(
            item.column == column
            and item.use in kinds
            # Under OR other rows are in the result too.
            and not item.alternative
            and not item.function  # an index on c does not serve lower(c) = $1
            and (fits is None or fits(item))
            for item in shape.conditions
        )
    ]


def ordered_by(shapes: Iterable[QueryShape], column: str) -> list[QueryShape]:
    """The shapes whose ORDER BY begins with the column."""
    return [shape for shape in shapes if shape.order[:1] and shape.order[0].column == column]


def values_asked(shapes: Iterable[QueryShape], column: Column) -> frozenset[str] | None:
    """The constants that a column is compared with; None if it is also compared with variable values."""
    values: set[str] = set()
    for shape in shapes:
        for item in shape.conditions:
            if item.column != column.name:
                continue
            if item.use not in ONE_VALUE or item.literal is None:
                return None
            values.add(item.literal)
    return frozenset(values)
