"""How bad a finding is, and what autogenerate does about it: what a project may set for each pattern."""

from __future__ import annotations

import enum


class Severity(enum.IntEnum):
    """How bad a finding is; the order is used by ``fail_on``."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


class Action(enum.StrEnum):
    """What autogenerate does about it; ``pgcheck`` reports all but OFF."""

    ENFORCE = "enforce"
    SUGGEST = "suggest"
    REPORT = "report"
    OFF = "off"
