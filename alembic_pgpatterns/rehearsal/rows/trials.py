"""Tries rows against the conditions of a table on the server, and searches for values that satisfy them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.branches import ways
from alembic_pgpatterns.rehearsal.rows.limits import constants_beside
from alembic_pgpatterns.rehearsal.rows.model import Unfillable
from alembic_pgpatterns.rehearsal.rows.regex import matching
from alembic_pgpatterns.rehearsal.rows.tables import FREE, NULL, Constant, Copy, Entry, TablePlan, Template
from alembic_pgpatterns.rehearsal.rows.text import TRIALS
from alembic_pgpatterns.rehearsal.rows.values import FLOATS, TEXTS, TIMES, WHOLE, Values
from alembic_pgpatterns.schema.model import Column
from alembic_pgpatterns.schema.sql.sqltext import column_references

BY_CHANCE = 0.5
"""From this share of rows on that satisfy a condition by chance, no values are searched: the others are left out."""
SAMPLE = 2000
"""Rows of a trial."""
MOST_TEMPLATES = 6000
"""How many combinations are tried."""
TRIED_ROWS = 12
"""Rows per combination in the first round."""
FINALISTS = 40
"""Combinations of the second round, in which SAMPLE rows are tried."""
TEMPLATES = 8
"""How many templates there are. Each row uses one."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A CHECK constraint of a table or a domain, or the bound of a partition. ``expression``: as in the catalog."""

    name: str
    expression: str

    @property
    def columns(self) -> frozenset[str]:
        """The columns it is about."""
        return column_references(self.expression) or frozenset()


def satisfy(connection: Any, plan: TablePlan, values: Values, conditions: Sequence[Condition]) -> None:
    """Change the plan so that its rows satisfy all conditions.

    Raises:
        Unfillable: no values were found; names the condition.
    """
    failing = _failing(connection, plan, values, conditions)
    for condition in failing:
        _try_styles(connection, plan, values, condition)
    failing = _failing(connection, plan, values, conditions) if failing else []
    if not failing:
        return
    if _share(connection, plan, values, failing) >= BY_CHANCE:
        plan.filters = tuple(item.expression for item in failing)
        # Rows are missing then, as where a key refuses some: more are made until there are enough.
        plan.arrangement.conflicts = True
        return
    for group in _connected(failing, conditions):
        _search(connection, plan, values, group)
    failing = _failing(connection, plan, values, conditions)
    if failing:
        raise Unfillable(f"no values were found for {failing[0].name}: {failing[0].expression}")


def _share(connection: Any, plan: TablePlan, values: Values, conditions: Sequence[Condition]) -> float:
    """The share of the rows that satisfy all conditions; 0 if they cannot be computed."""
    rows = plan.select(values, 0, min(SAMPLE, max(plan.arrangement.rows, 4)) - 1)
    sample = plan.with_computed(rows, {name for item in conditions for name in item.columns})
    all_hold = sql.SQL(" AND ").join(sql.SQL("({}) IS NOT FALSE").format(sql.SQL(c.expression)) for c in conditions)
    query = sql.SQL("SELECT count(*) FILTER (WHERE {})::float / count(*) FROM ({}) s").format(all_hold, sample)
    try:
        return float(connection.execute(query).fetchone()[0])
    except psycopg.Error:
        return 0.0


def _failing(connection: Any, plan: TablePlan, values: Values, conditions: Sequence[Condition]) -> list[Condition]:
    if not conditions:
        return []
    rows = plan.select(values, 0, min(SAMPLE, max(plan.arrangement.rows, 4)) - 1)
    sample = plan.with_computed(rows, {name for item in conditions for name in item.columns})
    # IS NOT FALSE: a CHECK accepts NULL.
    tested = [sql.SQL("bool_and(({}) IS NOT FALSE)").format(sql.SQL(item.expression)) for item in conditions]
    query = sql.SQL("SELECT {} FROM ({}) s").format(sql.SQL(", ").join(tested), sample)
    try:
        row = connection.execute(query).fetchone()
    except psycopg.Error:
        return _failing_alone(connection, sample, conditions)
    return [item for item, passed in zip(conditions, row, strict=True) if passed is False]


def _failing_alone(connection: Any, sample: sql.Composed, conditions: Sequence[Condition]) -> list[Condition]:
    """Check one by one, if a condition cannot be computed."""
    failing = []
    for item in conditions:
        query = sql.SQL("SELECT bool_and(({}) IS NOT FALSE) FROM ({}) s").format(sql.SQL(item.expression), sample)
        try:
            passed = connection.execute(query).fetchone()[0]
        except psycopg.Error as error:
            # No other value helps then; the INSERT will say so.
            if isinstance(error, psycopg.errors.UndefinedFunction | psycopg.errors.InsufficientPrivilege):
                continue
            passed = False
        if passed is False:
            failing.append(item)
    return failing


def _try_styles(connection: Any, plan: TablePlan, values: Values, condition: Condition) -> None:
    """Another way to write the text, for a condition on a single text column."""
    columns = [plan.plans[name] for name in _underlying(plan, condition.columns) if name in plan.plans]
    written = [item for item in columns if item.column.type.name in TEXTS or item.json_keys]
    if len(columns) != 1 or not written or columns[0].limit.choices is not None:
        return
    before = columns[0]
    for style in TRIALS:
        plan.plans[before.column.name] = replace(before, style=style)
        if not _failing(connection, plan, values, [condition]):
            return
    pattern = before.limit.pattern
    samples = _matching(connection, before.column, matching(pattern)) if pattern is not None else []
    limit = replace(before.limit, choices=tuple(samples)) if samples else before.limit
    plan.plans[before.column.name] = replace(before, limit=limit)


def _matching(connection: Any, column: Column, texts: Sequence[str]) -> list[str]:
    """Those that are not too long. The server checks afterwards whether they match."""
    length = column.type.length
    return [text for text in dict.fromkeys(texts) if length is None or len(text) <= length]


def _connected(failing: Sequence[Condition], conditions: Sequence[Condition]) -> list[list[Condition]]:
    """The failing conditions, each with all others about the same columns."""
    groups: list[list[Condition]] = []
    for start in failing:
        if any(start in group for group in groups):
            continue
        columns: set[str] = set()
        linked = [start]
        while linked:
            columns |= set().union(*(item.columns for item in linked))
            # Another failing condition on the same columns is solved together with this one.
            linked = [item for item in failing if item.columns & columns and not item.columns <= columns]
        groups.append([item for item in conditions if item == start or item.columns & columns])
    return groups


def _search(connection: Any, plan: TablePlan, values: Values, group: Sequence[Condition]) -> None:
    """Find combinations that satisfy the conditions, and let each row use one of them."""
    names = sorted(_underlying(plan, {name for item in group for name in item.columns}))
    columns = [column for column in plan.columns if column.name in names]
    entries = {column.name: _entries(connection, plan, column, columns, group) for column in columns}
    read = [way for way in ways([item.expression for item in group]) if _possible(plan, way, entries)]
    templates = [*({**dict.fromkeys(entries, FREE), **way} for way in read), *_combinations(entries)]
    for name in entries:
        plan.nulls.pop(name, None)
    search = _Search(connection, plan, values, columns, group)
    good = search.satisfying(templates, TRIED_ROWS) if columns else []
    # What satisfies a few rows by chance fails on many.
    good = search.satisfying(_varied(good, FINALISTS), SAMPLE) if good else []
    if not good:
        named = ", ".join(dict.fromkeys(item.name for item in group))
        raise Unfillable(f"no values were found that satisfy {named}: {group[0].expression}")
    chosen = _varied(good, TEMPLATES)
    plan.templates = tuple(_merged(plan.templates, chosen))


def _possible(plan: TablePlan, way: Template, entries: Mapping[str, object]) -> bool:
    """Whether the way sets only columns that get a value, and none that a key determines."""
    bound = {*plan.by_column, *plan.arrangement.unique}
    return way.keys() <= entries.keys() and not any(
        name in bound and entry != FREE and entry != NULL for name, entry in way.items()
    )


def _underlying(plan: TablePlan, names: Iterable[str]) -> set[str]:
    """The columns of conditions, where a generated column means the columns of its expression."""
    generated = {
        column.name: column_references(column.generated.expression) or frozenset()
        for column in plan.table.columns
        if column.generated is not None and isinstance(column.generated.expression, str)
    }
    return {inner for name in names for inner in generated.get(name, (name,))}


def _merged(first: Sequence[Template], second: Sequence[Template]) -> Iterator[Template]:
    """Combine templates with those for other columns."""
    if not first:
        yield from second
    for number in range(max(len(first), len(second)) if first else 0):
        yield {**first[number % len(first)], **second[number % len(second)]}


def _entries(
    connection: Any, plan: TablePlan, column: Column, columns: Sequence[Column], group: Sequence[Condition]
) -> list[Entry]:
    entries: list[Entry] = [FREE]
    if column.nullable and not column.type.domain_not_null:
        entries.append(NULL)
    if column.name in plan.by_column or column.name in plan.arrangement.unique:
        return entries
    entries += _copies(column, columns)
    named = (value for item in group for value in constants_beside(item.expression, column.name))
    texts = [text for value in named for text in _near(value)]
    limit = plan.plans[column.name].limit
    texts += [str(choice) for choice in limit.choices or ()] + list(column.type.labels) + _usual(column)
    valid = _valid(connection, column, list(dict.fromkeys(texts)))
    return [*entries, *(Constant(text) for text in valid)]


def _copies(column: Column, columns: Sequence[Column]) -> Iterator[Copy]:
    ordered = column.type.name in (*WHOLE, *FLOATS, *TIMES, "numeric") and not column.type.array
    for other in columns:
        if other.name != column.name and other.type.same_storage == column.type.same_storage:
            yield from (Copy(other.name, shift) for shift in ((1, -1, 0) if ordered else (0,)))


def _near(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, (int, float)):
        # For < and > the constant itself is just outside.
        yield from (str(value), str(value + 1), str(value - 1))
    else:
        yield str(value)


def _usual(column: Column) -> list[str]:
    name = column.type.name
    if column.type.array:
        return ["{}"]
    if name in WHOLE or name in FLOATS or name == "numeric":
        return ["0", "1", "-1", "10", "100"]
    if name in TIMES:
        return ["2020-01-01", "2030-01-01"]
    if name in ("json", "jsonb"):
        return ["{}", "[]", "null", '{"a": 1}', '["a"]']
    return ["true", "false"] if name == "bool" else ["", "a", "A", "a b"] if name in TEXTS else []


def _valid(connection: Any, column: Column, texts: Sequence[str]) -> list[str]:
    """The texts that the column's type can read."""
    spelled = sql.SQL(column.type.display)
    valid = []
    for text in texts[:40]:
        try:
            connection.execute(sql.SQL("SELECT {}::{}").format(sql.Literal(text), spelled))
        except psycopg.Error:
            continue
        valid.append(text)
    return valid


def _combinations(entries: Mapping[str, Sequence[Entry]]) -> Iterator[Template]:
    total = 1
    for options in entries.values():
        total *= len(options)
    names = list(entries)
    if total <= MOST_TEMPLATES:
        for combination in itertools.product(*entries.values()):
            yield dict(zip(names, combination, strict=True))
        return
    # The same choice in each run.
    draw = random.Random(1)
    for number in range(MOST_TEMPLATES):
        # Half of them change few columns.
        share = 0.2 if number % 2 else 0.7
        yield {name: draw.choice(options) if draw.random() < share else options[0] for name, options in entries.items()}


@dataclass(frozen=True)
class _Search:
    """A search for values of some columns that satisfy a group of conditions."""

    connection: Any
    plan: TablePlan
    values: Values
    columns: Sequence[Column]
    group: Sequence[Condition]

    def satisfying(self, templates: Sequence[Template], rows: int) -> list[Template]:
        """The templates whose rows all satisfy all conditions in the trial."""
        plan, values, columns = self.plan, self.values, self.columns
        options = {column.name: list(dict.fromkeys(t[column.name] for t in templates)) for column in columns}
        codes = [tuple(options[c.name].index(t[c.name]) for c in columns) for t in templates]
        listed = sql.SQL(", ").join(
            sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, (number, *code))))
            for number, code in enumerate(codes)
        )
        selected = [
            sql.SQL("{} AS {}").format(
                plan.entry_case(column, values, options[column.name], sql.Identifier("t", f"c{position}")),
                sql.Identifier(column.name),
            )
            for position, column in enumerate(columns)
        ]
        joins = [reference.join(plan._pick(reference)) for reference in plan.references if reference.size]
        # OFFSET 0 keeps the planner from pulling the subquery up: it would compute each entry again wherever it is
        # used.
        inner = sql.SQL(
            "SELECT t.number AS pgpatterns_number, {} FROM generate_series(0::bigint, {}::bigint) AS r(n){} "
            "CROSS JOIN (VALUES {}) AS t(number, {}) OFFSET 0"
        ).format(
            sql.SQL(", ").join(selected),
            sql.Literal(rows - 1),
            sql.SQL("").join(joins),
            listed,
            sql.SQL(", ").join(sql.Identifier(f"c{position}") for position in range(len(columns))),
        )
        holds = sql.SQL(" AND ").join(
            sql.SQL("(({}) IS NOT FALSE)").format(sql.SQL(item.expression)) for item in self.group
        )
        query = sql.SQL(
            "SELECT pgpatterns_number FROM ({}) s WHERE {} GROUP BY 1 HAVING count(*) = {} ORDER BY 1"
        ).format(
            plan.with_computed(inner, {name for item in self.group for name in item.columns}), holds, sql.Literal(rows)
        )
        return [templates[number] for (number,) in self.connection.execute(query).fetchall()]


def _varied(templates: Sequence[Template], most: int) -> list[Template]:
    """A few very different templates, first those with the fewest changes."""
    waiting = sorted(templates, key=lambda t: (sum(e == NULL for e in t.values()), sum(e != FREE for e in t.values())))
    chosen: list[Template] = []
    seen: set[tuple[str, Entry]] = set()
    for template in waiting:
        fresh = {item for item in template.items() if item not in seen}
        if fresh or not chosen or most > TEMPLATES:
            chosen.append(template)
            seen |= set(template.items())
        if len(chosen) == most:
            break
    return chosen
