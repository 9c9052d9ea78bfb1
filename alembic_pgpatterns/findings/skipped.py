"""What a check could not look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not checked, and why.

    ``broken``: the project does not work here, so the run fails, whatever else it found. ``expected``: the settings or
    the project itself leave it out, so the run may pass.
    """

    what: str
    reason: str
    broken: bool = False
    expected: bool = False
