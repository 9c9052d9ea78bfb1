"""How a trigger is known that fills the new column of a change of type in stages."""

from __future__ import annotations

FILLS = "pgpatterns: fills the new column"
"""A comment in the trigger's function."""
