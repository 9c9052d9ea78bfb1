"""SIGTERM and SIGHUP as an orderly end, where there is something to tidy up that no watchdog does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(SystemExit):
    """SIGTERM or SIGHUP came: unlike a sys.exit() of the project's own code, it is meant for all of us."""


@contextlib.contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Make SIGTERM raise Terminated(143) inside: CI ends jobs by it, and Python would end without tidying up.

    Does nothing outside the main thread, or where the program has a handler of its own.
    """
    with _raising(signal.SIGTERM):
        yield


@contextlib.contextmanager
def ends_by_exception() -> Iterator[None]:
    """The same for SIGHUP too, which comes when a terminal is closed."""
    with _raising(signal.SIGTERM), _raising(signal.SIGHUP):
        yield


@contextlib.contextmanager
def _raising(number: signal.Signals) -> Iterator[None]:
    def leave(number: int, frame: FrameType | None) -> None:
        raise Terminated(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    mine = in_main and signal.getsignal(number) is signal.SIG_DFL
    if mine:
        signal.signal(number, leave)
    try:
        yield
    finally:
        if mine:
            signal.signal(number, signal.SIG_DFL)
