"""The queries in an application's source as a workload, which every project has.

How often a query runs and with which values the source does not say; each shape counts once and is planned for any
values.
"""

from __future__ import annotations

from collections.abc import Iterator
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


def workload_of(evidence: Evidence) -> Workload:
    """The shapes of an application's queries as statements with their places."""
    statements = [item for shape in evidence.shapes for item in _statements(shape)]
    notes = (
        f"read from the source: {evidence.understood} of {evidence.queries} queries in {evidence.files} files were "
        "understood; how often they run and with which values is not known",
    )
    return merged([Workload(tuple(statements), SOURCE, notes=notes)])


def _statements(shape: QueryShape) -> Iterator[Recorded]:
    """The statement with all its conditions and, if an ``if`` adds some, the one without them."""
    always = tuple(item for item in shape.conditions if not item.optional)
    for conditions in dict.fromkeys((shape.conditions, always)):
        text = _text(replace(shape, conditions=conditions))
        reading = read(text) if text is not None else None
        if text is not None and reading is not None:
            usages = tuple(Usage(Site(place.path, place.line, place.function), 1) for place in shape.places)
            yield Recorded(reading.fingerprint, text, reading.kind, max(1, len(usages)), usages=usages)


def _text(shape: QueryShape) -> str | None:
    """SQL of a shape; None if no index could serve it."""
    parameters = iter(range(1, 1000))
    parts = [text for item in shape.conditions if not item.alternative and (text := _condition(item, parameters))]
    branches = [text for item in shape.conditions if item.alternative and (text := _condition(item, parameters))]
    parts += [f"({' OR '.join(branches)})"] if len(branches) > 1 else branches
    if not parts and not (shape.order and shape.limit):
        return None
    schema, _, name = shape.table.rpartition(".")
    table = str(Name(schema, name)) if schema else quote(name)
    grouped = ", ".join(map(quote, shape.grouped))
    fetched = f"{grouped}, count(*)" if grouped else ", ".join(map(quote, shape.fetched)) or "*"
    where = f"WHERE {' AND '.join(parts)}" if parts else ""
    if shape.command == "delete":
        return " ".join(("DELETE FROM", table, where)) if where else None
    # Which columns an UPDATE sets is not always known. Then it is the SELECT that finds its rows.
    if shape.command == "update" and shape.assigned and where:
        assigned = ", ".join(f"{quote(name)} = ${next(parameters)}" for name in shape.assigned)
        return " ".join(("UPDATE", table, "SET", assigned, where))
    words = [" ".join(("SELECT", fetched, "FROM", table)), where]
    words += [f"GROUP BY {grouped}" if grouped else ""]
    words += [f"ORDER BY {', '.join(map(_order, shape.order))}" if shape.order and not grouped else ""]
    words += [f"LIMIT {shape.limit_rows or USUAL_LIMIT}" if shape.limit and not grouped else ""]
    return " ".join(word for word in words if word)


def _condition(item: Condition, parameters: Iterator[int]) -> str | None:
    column = quote(item.column)
    term = f"{item.function}({column})" if item.function.isidentifier() else column
    if item.use in (Use.IS_NULL, Use.IS_NOT_NULL):
        return f"{column} {item.use.value.upper()}"
    if item.use is Use.MEMBER:
        return f"{term} = ANY (${next(parameters)})"
    if item.use is Use.PREFIX:
        # A constant: of a parameter the planner does not know that it begins without a wildcard.
        return f"{term} LIKE 'abcd%'"
    if item.use is Use.PATTERN:
        return f"{term} LIKE '%abcdef%'"
    if item.use is Use.RANGE and item.operator == "between":
        return f"{term} BETWEEN ${next(parameters)} AND ${next(parameters)}"
    if item.use in _OPERATORS:
        return f"{term} {item.operator or _OPERATORS[item.use]} {item.literal or f'${next(parameters)}'}"
    return None


def _order(key: OrderKey) -> str:
    column = quote(key.column)
    term = f"{key.function}({column})" if key.function.isidentifier() else column
    nulls = "" if key.nulls_first is None else " NULLS FIRST" if key.nulls_first else " NULLS LAST"
    return f"{term}{' DESC' if key.descending else ''}{nulls}"
