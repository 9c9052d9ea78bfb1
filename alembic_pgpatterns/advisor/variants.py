"""The values with which a statement is planned: recorded ones, and others that are typical for production."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from alembic_pgpatterns.advisor.like import is_prefix
from alembic_pgpatterns.advisor.predicates import TableUse
from alembic_pgpatterns.advisor.statement_text import (
    limit_parameters,
    range_parameters,
    unlimited,
    with_fixed,
    with_limits,
    with_values,
)
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Recorded

SAMPLES = 2
"""Sets of recorded values that a statement is planned with."""

_BEGINNING = "abc"
"""How a text begins that is looked for. Three letters: fewer would be more rows than anybody asks for."""

Busy = Callable[[Name, str], str | None]
"""The value of a column that more rows have than others; None if none is known."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A statement as it is planned. ``values``: of its parameters; None: the plan must hold for any."""

    text: str
    values: tuple[object, ...] | None


def variants(statement: Recorded, uses: Sequence[TableUse], busy: Busy, from_production: bool) -> tuple[Variant, ...]:
    """The ways in which a statement is planned; its cost is their geometric mean.

    What tests ask for is not what production asks for: ranges of a minute, and parents with two children. So beside
    the recorded values there is one variant with ranges of any width and the parent that has the most children. Where
    nothing is recorded there are two, with any parent and with that one.

    Args:
        statement: with the values that the server takes.
        uses: what it asks of each table.
        busy: values that more rows have than others.
        from_production: the recorded values are production's, and say all.
    """
    return tuple(_variants(statement, uses, busy, from_production))


def _variants(statement: Recorded, uses: Sequence[TableUse], busy: Busy, from_production: bool) -> Iterator[Variant]:
    guessed = any(use.contains for use in uses) or any(
        not is_prefix(like.operator, like.pattern, statement.values) for use in uses for like in use.likes
    )
    text = unlimited(statement.text) if guessed else statement.text
    limits = limit_parameters(statement.text)
    samples = [
        tuple(None if guessed and number in limits else value for number, value in enumerate(sample, 1))
        for sample in statement.values[:SAMPLES]
    ]
    for sample in samples:
        yield Variant(text, sample)
    parents = _busy_values(uses, busy)
    if samples and (from_production or not (parents or range_parameters(text))):
        return
    sample_values = dict(enumerate(samples[0], 1)) if samples else {}
    kept_values = {number: value for number, value in sample_values.items() if number not in range_parameters(text)}
    unlimiting = dict.fromkeys(limits) if guessed else {}
    known_values = {**_beginnings(statement, uses), **kept_values, **parents, **unlimiting}
    fixed = with_fixed(replace(statement, text=text), from_production)
    if parents and not samples:
        # An index by the order alone serves the busiest parent, and for all others the whole of it is read.
        usual = {number: value for number, value in known_values.items() if number not in parents}
        yield Variant(with_limits(with_values(fixed, usual)), None)
    yield Variant(with_limits(with_values(fixed, known_values)), None)


def _busy_values(uses: Sequence[TableUse], busy: Busy) -> Mapping[int, object]:
    values: dict[int, object] = {}
    for use in uses:
        for item in use.equal:
            value = busy(use.table, item.term.column) if item.term.column and item.parameter else None
            if value is not None and item.parameter is not None and not item.is_list:
                values[item.parameter] = value
    return values


def _beginnings(statement: Recorded, uses: Sequence[TableUse]) -> Mapping[int, object]:
    """Values for `LIKE $1 || '%'` if none is known: only of a constant the planner makes a range of the index."""
    prefixes = (like for use in uses for like in use.likes if is_prefix(like.operator, like.pattern, statement.values))
    return {part: _BEGINNING for like in prefixes for part in like.pattern if isinstance(part, int) and part}
