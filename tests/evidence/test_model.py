"""Shapes as data: what is merged, and what is answered for a column."""

from __future__ import annotations

from alembic_pgpatterns.evidence.model import Condition, Evidence, OrderKey, Place, QueryShape, Use, merged

PENDING = Condition("status", Use.EQUAL, "'pending'")
BY_TEAM = QueryShape("job", conditions=(PENDING, Condition("team_id", Use.EQUAL)), order=(OrderKey("id"),))


def at(shape: QueryShape, *lines: int) -> QueryShape:
    places = tuple(Place("app/jobs.py", line) for line in lines)
    return QueryShape(shape.table, conditions=shape.conditions, order=shape.order, places=places, calls=len(lines))


def test_equal_shapes_become_one_with_all_their_places() -> None:
    (shape,) = merged([at(BY_TEAM, 7), at(BY_TEAM, 3, 9)])
    assert shape == BY_TEAM
    assert [place.line for place in shape.places] == [7, 3, 9]
    assert shape.calls == 3


def test_shapes_that_differ_stay_apart() -> None:
    other = QueryShape("job", conditions=(PENDING,))
    assert merged([BY_TEAM, other, BY_TEAM]) == (BY_TEAM, other)


def test_columns_of_an_or_are_not_promised() -> None:
    shape = QueryShape("job", conditions=(Condition("a", Use.EQUAL, alternative=True), Condition("b", Use.MEMBER)))
    assert shape.equal == ("b",)


def test_a_columns_uses_are_counted_per_table_with_and_without_schema() -> None:
    evidence = Evidence("source", (at(BY_TEAM, 7, 8), QueryShape("public.job", conditions=(PENDING,)), BY_TEAM))
    (use,) = evidence.uses("public", "job", "status")
    assert (use.use, use.count, str(use.first), use.literals) == (Use.EQUAL, 4, "app/jobs.py:7", ("'pending'",))
    assert evidence.uses("public", "job", "id") == ()
    assert len(evidence.of_table("other", "job")) == 2
