"""What a check did not check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not checked, and why.

    ``broken``: it failed because of the project, so the run fails, whatever else it found. ``expected``: the settings
    or the project exclude it, so the run may pass.
    """

    subject: str
    reason: str
    broken: bool = False
    expected: bool = False
