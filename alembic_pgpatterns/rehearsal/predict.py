"""From waits at two sizes to the wait at another size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

NOISE = 0.03
"""Seconds. A smaller difference of two waits does not count."""
STEEPER = 2.0
"""Growth up to this many times faster than the rows counts as linear: caches and other processes cause as much."""
SHORT = 0.1
"""Seconds. A shorter wait does not tell by which power it grows: one checkpoint may have caused it."""
STEEPEST = 2.0
"""The fastest growth that is predicted: with the square of the rows."""
SORTING = 0.065
"""What a linear wait takes more with each factor of the rows, as a power of it: 1.16 at ten times the rows.

Sorts and B-trees take n log n. Measured from 1 to 8 million rows with benchmarks/rehearsal.py on a server with little
memory: exact proportion predicts 0.72 to 1.03 of the truth for index builds, rewrites and updates, this 0.82 to 1.18.
"""
LEAST_SPREAD = 0.15
"""The least error of a prediction, as a share of it."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How a wait grows with the rows: ``fixed`` seconds, and ``slope`` seconds for ``rows ** power``.

    ``spread``: the share by which measurements at one size differ. ``measured``: the rows beyond which sorting and disk
    add to a linear wait; 0: they do not. ``most``: seconds that are never exceeded.
    """

    fixed: float
    slope: float
    power: float
    spread: float
    words: str
    measured: int = 0
    most: float = math.inf

    def at(self, rows: float) -> float:
        """Seconds at a number of rows."""
        more = (rows / self.measured) ** SORTING if self.measured and rows > self.measured else 1.0
        return min(self.most, max(0.0, self.fixed + self.slope * math.pow(rows, self.power) * more))


def growth(points: Sequence[tuple[int, float]], longer: float = math.inf) -> Growth:
    """The growth that measurements show.

    Args:
        points: rows and seconds, at two sizes or more, with several points for a repeated measurement.
        longer: seconds by which it can grow at most beyond what was measured at the largest size.
    """
    sizes = sorted({rows for rows, _ in points})
    means = [mean(seconds for rows, seconds in points if rows == size) for size in sizes]
    spread = max((_spread([s for r, s in points if r == size]) for size in sizes), default=0.0)
    spread = max(spread, LEAST_SPREAD)
    if len(sizes) < 2 or max(means) < NOISE:
        return Growth(means[-1] if means else 0.0, 0.0, 1.0, spread, "does not grow")
    small, large = means[0], means[-1]
    ratio, factor = large / max(small, 1e-6), sizes[-1] / sizes[0]
    if ratio <= 1.25 or longer < NOISE:
        return Growth((small + large) / 2, 0.0, 1.0, spread, "does not grow")
    if ratio <= factor * STEEPER or large < SHORT:
        slope = (large - small) / (sizes[-1] - sizes[0])
        fixed = large - slope * sizes[-1]
        if fixed < 0:
            fixed, slope = 0.0, large / sizes[-1]
        return Growth(fixed, slope, 1.0, spread, "linear", sizes[-1], large + longer)
    power = min(math.log(ratio) / math.log(factor), STEEPEST)
    words = f"with the rows to the power of {power:.1f}"
    return Growth(0.0, large / sizes[-1] ** power, power, spread, words, most=large + longer)


def _spread(values: Sequence[float]) -> float:
    middle = mean(values)
    return (max(values) - min(values)) / middle / 2 if len(values) > 1 and middle > NOISE else 0.0
