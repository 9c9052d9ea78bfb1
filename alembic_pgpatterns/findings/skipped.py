"""What a check did not check, and what it had to find out before it could check anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not checked, and why.

    ``broken``: it failed because of the project, so the run fails, whatever else it found. ``expected``: the settings
    or the project exclude it, so the run may pass. ``routine``: it is so in every project, and the
    summary leaves it out.
    """

    subject: str
    reason: str
    broken: bool = False
    expected: bool = False
    routine: bool = False


@dataclass(frozen=True, slots=True)
class FoundOut:
    """Something about the project that nobody has configured: it was found out and used.

    ``reason``: for people. ``setting`` and ``value``: what says the same; None if it is no setting.
    """

    reason: str
    setting: str | None = None
    value: Any = None
