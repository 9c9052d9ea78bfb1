"""How many examples hypothesis makes."""

from __future__ import annotations

import os


def examples(by_default: int) -> int:
    """Few by default, the same in each run; the variable PGPATTERNS_EXAMPLES is for a longer look at others."""
    return int(os.environ.get("PGPATTERNS_EXAMPLES", by_default))
