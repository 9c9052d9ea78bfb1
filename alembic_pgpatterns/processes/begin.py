"""The first steps of a process for code that is not ours: streams, signals, fences, a way to ask where it is."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping

from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.stand import stand
from alembic_pgpatterns.processes.supervisor import DUMP_SIGNAL


def begin(
    allowed: Allowed,
    dump: int | None,
    parameters: Callable[[], Mapping[str, str]] = dict,
    kernel_fences: Collection[str] | None = None,
) -> None:
    """Prepare this process. Call it before any of that code is imported. It may return in another process (`stand`).

    Args:
        allowed: where it may connect.
        dump: a descriptor that gets the stack of this process after `DUMP_SIGNAL`; None: it is asked in another way.
        parameters: gives libpq's parameters of the check's server.
        kernel_fences: the fences of the kernel that stand already; None if none were tried.
    """
    # A fork has the command's handlers, which stop the command's servers; and exec() keeps signals ignored that a
    # parent, such as nohup, has ignored (POSIX).
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"):
        # Windows has no SIGHUP and no SIGPIPE (Python docs, signal).
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN if name == "SIGPIPE" else signal.SIG_DFL)
    _stdout_to_stderr()
    stand(allowed, parameters, kernel_fences=kernel_fences)
    if dump is not None:
        faulthandler.register(DUMP_SIGNAL, file=dump, all_threads=True)


def _stdout_to_stderr() -> None:
    """The code's output is not part of the report. A closed stream's number would go to the next opened file."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
