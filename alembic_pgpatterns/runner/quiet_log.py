"""What Alembic and the project log while they run, and Python's warnings: not shown, but kept for a failure."""

from __future__ import annotations

import logging
import sys
import warnings
from collections import deque
from typing import Any

MOST_LINES = 30
"""Lines that a failure shows."""

_lines: deque[str] = deque(maxlen=MOST_LINES)


def begin() -> None:
    """From now on, keep records below WARNING that a handler would write to the console, and warnings of Python's.

    On the handler's class, since env.py makes the handlers (``logging.config.fileConfig``), maybe several times. What
    the project prints itself, and what it logs into files, goes its way.
    """
    stock = logging.StreamHandler.emit

    def emit(self: Any, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING or self.stream not in _consoles():
            stock(self, record)
        else:
            _lines.append(self.format(record))

    logging.StreamHandler.emit = emit  # type: ignore[method-assign]
    # The project's code runs in one process after another, and each would warn of the same again.
    warnings.showwarning = _keep  # type: ignore[assignment]


def _keep(message: Warning | str, category: type[Warning], filename: str, lineno: int, *others: Any) -> None:
    _lines.append(warnings.formatwarning(message, category, filename, lineno).rstrip())


def last_lines() -> str:
    """The last lines that were kept."""
    return "\n".join(_lines)


def _consoles() -> tuple[object, ...]:
    return (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
