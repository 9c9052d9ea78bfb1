"""How many samples of a kind tests take: few by default, more in the long rooms (`.ci/long`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest


def examples(by_default: int) -> int:
    """Few by default, the same in each run; the variable PGPATTERNS_EXAMPLES is for a longer look at others."""
    return int(os.environ.get("PGPATTERNS_EXAMPLES", by_default))


def mostly_long(samples: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of a test that are all of one kind: by default, only the ``quick`` ones run.

    Args:
        samples: all parameters.
        quick: those that stand for the others in the default run.
    """
    every = list(samples)
    assert all(item in every for item in quick), "a quick one is none of them"
    return [item if item in quick else _long(item) for item in every]


def _long(item: Any) -> Any:
    values = item if isinstance(item, tuple) else (item,)
    return pytest.param(*values, marks=pytest.mark.long)
