"""No other test runs the benchmarks; what they import is where they look for it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FILES = sorted(path.name for path in BENCHMARKS.glob("*.py"))


@pytest.mark.parametrize("name", FILES)
def test_what_a_benchmark_imports_exists(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    assert "main" in runpy.run_path(str(BENCHMARKS / name), run_name="imported") or name == "readers.py"
