"""How many rows each table gets, and from waits at two sizes to the wait at another one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from alembic_pgpatterns.rehearsal.model import StatementTime
from alembic_pgpatterns.rehearsal.predict import SORTING, growth
from alembic_pgpatterns.rehearsal.results import _longer
from alembic_pgpatterns.rehearsal.sizes import Sizes
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Location, Name

MORE = 8**SORTING


@pytest.mark.parametrize(
    ("points", "words", "expected"),
    [
        (((1000, 0.001), (4000, 0.002)), "does not grow", 0.002),
        (((1000, 2.0), (4000, 2.1)), "does not grow", 2.05),
        (((1000, 1.0), (4000, 4.0)), "linear", 32.0 * MORE),
        (((1000, 2.0), (4000, 5.0)), "linear", 1.0 + 32.0 * MORE),
        (((1000, 1.0), (4000, 5.0)), "linear", 40.0 * MORE),
        (((1000, 1.0), (4000, 16.0)), "with the rows to the power of 2.0", 1024.0),
        (((1000, 0.001), (4000, 0.04)), "linear", 0.32 * MORE),
        (((1000, 0.01), (4000, 0.11)), "with the rows to the power of 1.7", 4.013115996),
        (((1000, 1.0),), "does not grow", 1.0),
    ],
)
def test_growth(points: tuple[tuple[int, float], ...], words: str, expected: float) -> None:
    result = growth(points)
    assert result.words == words
    assert result.at(32000) == pytest.approx(expected)


def test_a_wait_grows_by_no_more_than_the_statements() -> None:
    # Adding a column takes as long on any table: what grew is what other programs of the machine did.
    assert growth(((1000, 0.03), (4000, 0.06)), longer=0.0).words == "does not grow"
    assert growth(((1000, 1.0), (4000, 4.0)), longer=3.0).at(32000) == 7.0
    assert growth(((1000, 1.0), (4000, 16.0)), longer=100.0).at(32000) == 116.0


def test_only_what_may_have_held_the_lock_makes_a_wait_longer() -> None:
    place = Location("a.py", 1)

    def longer(wait: float, *statements: tuple[float, float, int]) -> float:
        items = [StatementTime(place, now, None, "", predicted=later, count=n) for now, later, n in statements]
        return _longer(items, wait)

    assert longer(4.0, (4.0, 32.0, 1)) == 28.0
    # An index built concurrently beside a short lock.
    assert longer(0.1, (8.0, 64.0, 1), (0.1, 0.8, 1)) == pytest.approx(0.7)
    # A thousand batches that commit, and a thousand updates of one transaction.
    assert longer(0.06, (8.0, 64.0, 1000)) == pytest.approx(0.056)
    assert longer(8.0, (8.0, 64.0, 1000)) == 56.0
    assert _longer([StatementTime(place, 1.0, None, "")], 1.0) == math.inf


def test_measurements_that_differ_make_a_wide_spread() -> None:
    assert growth(((1000, 1.0), (1000, 2.0), (4000, 6.0))).spread == pytest.approx(1 / 3)
    assert growth(((1000, 1.0), (4000, 4.0))).spread == 0.15


def test_only_what_the_revision_touches_and_its_parents_are_as_large_as_in_production(database: Any) -> None:
    script = """
        CREATE TABLE tenant (id int PRIMARY KEY);
        CREATE TABLE tag (id int PRIMARY KEY, tenant_id int REFERENCES tenant);
        CREATE TABLE event (id int PRIMARY KEY, tag_id int REFERENCES tag);
    """
    with database.connect() as connection:
        connection.execute(script)
        schema = catalog.read(connection)
    tenant, tag, event = (Name("public", name) for name in ("tenant", "tag", "event"))
    table = schema.table(tag)
    assert table is not None
    production = {tenant: 900, tag: 5000, event: 50_000_000}
    assert Sizes(schema, production, (table,), 1_000_000).rows(1_000_000) == {tenant: 900, tag: 5000}
    assert Sizes(schema, production, (table,), 1_000_000).rows(500) == {tenant: 90, tag: 500}
    assert Sizes(schema, {}, (table,), 1_000_000).rows(5000) == {tenant: 500, tag: 5000}
