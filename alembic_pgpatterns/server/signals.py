"""Turn SIGTERM and SIGHUP into an exception, so that a program cleans up before it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(SystemExit):
    """SIGTERM or SIGHUP arrived. Unlike a sys.exit() of the project's code, it ends this whole program."""


@contextlib.contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Make SIGTERM raise Terminated(143) inside. CI ends jobs with it, and Python would end without cleaning up.

    Does nothing outside the main thread, or if the program has a handler of its own.
    """
    with _raising(signal.SIGTERM):
        yield


@contextlib.contextmanager
def ends_by_exception() -> Iterator[None]:
    """The same for SIGTERM and SIGHUP, which arrives when a terminal is closed."""
    with _raising(signal.SIGTERM), _raising(signal.SIGHUP):
        yield


@contextlib.contextmanager
def _raising(number: signal.Signals) -> Iterator[None]:
    def leave(number: int, frame: FrameType | None) -> None:
        raise Terminated(128 + number)

    # signal.signal() works in the main thread only. A handler that is set already, such as pytest's, stays.
    in_main = threading.current_thread() is threading.main_thread()
    installed = in_main and signal.getsignal(number) is signal.SIG_DFL
    if installed:
        signal.signal(number, leave)
    try:
        yield
    finally:
        if installed:
            signal.signal(number, signal.SIG_DFL)
