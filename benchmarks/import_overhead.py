"""What the plugin adds to ``import alembic``: medians of fresh processes with and without it, in turn. Processor time.

python benchmarks/import_overhead.py [RUNS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

TIMED = "import time, importlib.metadata; t = time.process_time(); import alembic; print(time.process_time() - t)"
# Alembic looks for plugins in any case.
WITHOUT = (
    "import importlib.metadata as m; stock = m.entry_points\n"
    "def others(**given):\n"
    "    found = stock(**given)\n"
    "    return () if given.get('group') == 'alembic.plugins' else found\n"
    "m.entry_points = others\n"
)


def seconds(code: str) -> float:
    """Of a fresh process, which may keep what it compiled: a package installed editable has no other chance to."""
    ambient = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=ambient).stdout)


def main(runs: int) -> None:
    seconds(TIMED)
    pairs = [(seconds(TIMED), seconds(WITHOUT + TIMED)) for _ in range(runs)]
    with_, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    added = statistics.median(one - other for one, other in pairs)
    print(f"import alembic: {with_ * 1000:.1f} ms with the plugin, {without * 1000:.1f} ms without")
    print(f"ratio {with_ / without:.3f}; added, median of pairs: {added * 1000:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
