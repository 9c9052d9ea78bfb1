"""The options of a rehearsal, and its limits of time and disk."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from alembic_pgpatterns.config.settings import SettingsError

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(kB|MB|GB|TB)?", re.IGNORECASE)
_SECONDS = {"s": 1, "": 60, "m": 60, "min": 60, "h": 3600}
TIME_IS_OVER = "the time of --budget was over"
_BYTES = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}


@dataclass(frozen=True, slots=True)
class Options:
    """``rows``: of the largest table. ``seconds`` and ``bytes``: limits of time and disk for the whole rehearsal.

    ``revisions``: which ones; empty: those that pgcheck would trace. ``seed``: a file of SQL with the user's own rows.
    ``triggers``: whether they run while the tables are filled.
    """

    rows: int = 1_000_000
    seconds: float = 900.0
    bytes: int = 10 << 30
    revisions: tuple[str, ...] = ()
    seed: Path | None = None
    triggers: bool = False


def seconds_of(text: str) -> float:
    """``90s``, ``5m``, ``1h``; a number alone means minutes.

    Raises:
        SettingsError: another value.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise SettingsError(f"--budget: {text!r} is not a time such as 90s, 5m or 1h.")
    return float(match[1]) * _SECONDS[match[2] or ""]


def bytes_of(text: str) -> int:
    """``500MB``, ``2GB``; a number alone means bytes.

    Raises:
        SettingsError: another value.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise SettingsError(f"--disk: {text!r} is not a size such as 500MB or 2GB.")
    return int(float(match[1]) * _BYTES[(match[2] or "").lower()])


class LimitReached(Exception):
    """The time or the disk is used up; the text says which."""


@dataclass
class Budget:
    """The remaining time. ``waiting``: how many revisions share it."""

    seconds: float
    waiting: int = 1
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.seconds - (time.monotonic() - self.began)

    @property
    def share(self) -> float:
        """Seconds for the next revision: an equal part of the remaining time, but at least a quarter of it."""
        # Not only an equal part: most revisions need less than that, so the first ones would get too little.
        return max(0.0, self.left) / max(1, min(self.waiting, 4))

    def check(self) -> None:
        """Raise LimitReached if the time is over."""
        if self.left <= 0:
            raise LimitReached(TIME_IS_OVER)


MOST_ROWS = 2_000_000_000
"""Row numbers are values of integer columns, too."""


def demand_rows(rows: int, flag: str) -> None:
    """Raise SettingsError unless there can be so many rows.

    Args:
        rows: of the largest table.
        flag: the flag that gave it.
    """
    if not 1 <= rows <= MOST_ROWS:
        raise SettingsError(f"{flag}: {rows} is not a number of rows from 1 to {MOST_ROWS:,}.")
