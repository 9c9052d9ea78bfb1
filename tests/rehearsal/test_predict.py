"""From waits at two sizes to the wait at another one."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.rehearsal.predict import growth


@pytest.mark.parametrize(
    ("points", "words", "expected"),
    [
        (((1000, 0.001), (4000, 0.002)), "does not grow", 0.002),
        (((1000, 2.0), (4000, 2.1)), "does not grow", 2.05),
        (((1000, 1.0), (4000, 4.0)), "linear", 32.0),
        (((1000, 2.0), (4000, 5.0)), "linear", 33.0),
        (((1000, 1.0), (4000, 5.0)), "linear", 40.0),
        (((1000, 1.0), (4000, 16.0)), "with the rows to the power of 2.0", 1024.0),
        (((1000, 1.0),), "does not grow", 1.0),
    ],
)
def test_growth(points: tuple[tuple[int, float], ...], words: str, expected: float) -> None:
    result = growth(points)
    assert result.words == words
    assert result.at(32000) == pytest.approx(expected)


def test_measurements_that_differ_make_a_wide_spread() -> None:
    assert growth(((1000, 1.0), (1000, 2.0), (4000, 6.0))).spread == pytest.approx(1 / 3)
    assert growth(((1000, 1.0), (4000, 4.0))).spread == 0.15
