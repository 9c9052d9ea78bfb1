"""The benchmark of type changes in small: programs and backends are killed, and the end is the same."""

from __future__ import annotations

import pytest

from benchmarks.type_change_kills import killed
from benchmarks.type_changes import CHANGES

ROWS = 300


def same_end(change: str, kills: int) -> None:
    """Kill the upgrade and the downgrade beside a reader and a writer, then compare rows and catalog."""
    result = killed(change, ROWS, kills)
    assert "killed; 0 wrong rows" in result, result


@pytest.mark.long
def test_after_a_kill_the_next_run_comes_to_the_same_end() -> None:
    same_end("text to uuid", 1)


@pytest.mark.long
@pytest.mark.parametrize("change", [name for name in CHANGES if name != "text to uuid"])
def test_after_many_kills_the_next_run_comes_to_the_same_end(change: str) -> None:
    same_end(change, 6)
