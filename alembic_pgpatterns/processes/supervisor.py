"""Start a process for code that is not ours, below a supervisor that ends it with everything that it has started.

There are three processes: the parent (the command), a supervisor, and below it the one that runs the code. The
supervisor runs none of that code. It ends when the parent ends, in whatever way, and then kills every process that the
code has started: on Linux, orphans below it become its own children (prctl(2), PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from alembic_pgpatterns.fences.listeners import inherited_sockets

DUMP_SIGNAL: int = getattr(signal, "SIGUSR2", 0)
"""The signal that makes the process write its stack; 0 where there is none."""

_PR_SET_CHILD_SUBREAPER = 36
_END_SECONDS = 5.0
_REST_SECONDS = 60.0
"""Within so many seconds the rest of a message comes, once it has begun."""

_descriptors: set[int] = set()
"""Descriptors of all processes started here. No other process may hold them, or the end of one would go unnoticed."""


@dataclass(frozen=True)
class ChildEnds:
    """The process's ends of the channels for requests and callbacks, and the descriptor for its stack."""

    requests: socket.socket
    callbacks: socket.socket
    dump: int


Main = Callable[[ChildEnds], None]
"""The main function of the process."""


@dataclass
class Ends:
    """The parent's ends of the channels."""

    requests: socket.socket
    callbacks: socket.socket
    status: int
    alive: int
    dump: int
    supervisor: int

    def descriptors(self) -> set[int]:
        """Their descriptors."""
        return {self.requests.fileno(), self.callbacks.fileno(), self.status, self.alive, self.dump}

    def close(self) -> None:
        """End the process and all processes that it has started. Returns when they have ended."""
        _descriptors.difference_update(self.descriptors())
        self.requests.close()
        self.callbacks.close()
        # The supervisor sees the end of this pipe and kills everything below it. The same happens if this process is
        # killed.
        os.close(self.alive)
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            while not os.waitpid(self.supervisor, os.WNOHANG)[0]:
                # The project's code may have stopped it, by SIGSTOP, which nothing can refuse.
                os.kill(self.supervisor, signal.SIGCONT)
                time.sleep(0.002)
        os.close(self.status)
        os.close(self.dump)


def start(main: Main) -> Ends:
    """Start a fork of this process, below a supervisor.

    Args:
        main: runs in the fork. It does not return; if it does, or raises, the process ends with exit code 1.
    """
    # Two channels: while the process works on a request, its threads may ask questions. On one channel the parent could
    # not tell an answer from a question.
    requests, requests_there = socket.socketpair()
    callbacks, callbacks_there = socket.socketpair()
    for end in (requests, callbacks):
        end.settimeout(_REST_SECONDS)
    status, status_there = os.pipe()
    alive_there, alive = os.pipe()
    dump, dump_there = os.pipe()
    # What is still in the buffers would be written twice, by this process and by the fork.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            stream.flush()
    # Ctrl-C right after fork() would be raised in the fork too, before it gets to its own code: it would go on as if it
    # were the command, stop the command's servers and say what the command says.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _of_the_terminal())
    supervisor = os.fork()
    if supervisor:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        requests_there.close()
        callbacks_there.close()
        for number in (status_there, alive_there, dump_there):
            os.close(number)
        ends = Ends(requests, callbacks, status, alive, dump, supervisor)
        _descriptors.update(ends.descriptors())
        return ends
    try:
        # A collection in the fork would write into every object, and so copy all of the parent's memory (Python docs,
        # gc.freeze).
        gc.freeze()
        sockets = set(inherited_sockets()) - {requests_there.fileno(), callbacks_there.fileno()}
        for number in {*_descriptors, *sockets, requests.fileno(), callbacks.fileno(), status, alive, dump}:
            with contextlib.suppress(OSError):
                os.close(number)
        _supervise(lambda: main(ChildEnds(requests_there, callbacks_there, dump_there)), status_there, alive_there)
    finally:
        os._exit(1)


def _supervise(run: Callable[[], None], status: int, alive: int) -> NoReturn:
    """Wait until the process or the parent ends, then kill everything."""
    # A session of its own: Ctrl-C in the terminal is for the parent, which then ends this one in order.
    os.setsid()
    for ignored in _of_the_terminal():
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _of_the_terminal())
    # Orphans below this process become its children, and not those of init, so that they can be found and killed.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signals, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    pid = os.fork()
    if not pid:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (status, alive, signals, wake):
            os.close(number)
        os.setpgid(0, 0)
        try:
            run()
        finally:
            traceback.print_exc()
            os._exit(1)
    os.write(status, f"pid {pid}\n".encode())
    _wait(pid, status, alive, signals)
    _end_descendants(pid)
    os._exit(0)


def _of_the_terminal() -> tuple[signal.Signals, ...]:
    """The signals that end the command in order. Windows, which imports this module too, has no SIGHUP."""
    return signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def _wait(pid: int, status: int, alive: int, signals: int) -> None:
    while True:
        ready, _, _ = select.select([alive, signals], [], [])
        if alive in ready:
            return
        os.read(signals, 4096)
        while True:
            try:
                ended, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if ended == pid:
                with contextlib.suppress(OSError):
                    os.write(status, f"exit {_described(code)}\n".encode())
                return
            if not ended:
                break


def _described(code: int) -> str:
    if os.WIFSIGNALED(code):
        number = os.WTERMSIG(code)
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(number).name}"
        return f"signal {number}"
    return f"exit code {os.WEXITSTATUS(code)}"


def _end_descendants(pid: int) -> None:
    """Kill every process below this one. The children of a killed process become ours; repeat until there are none."""
    deadline = time.monotonic() + _END_SECONDS
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    while time.monotonic() < deadline:
        for number in _children(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.001)
        except ChildProcessError:
            return


def _children(pid: int) -> list[int]:
    """The children of a process; without /proc, only the process group is known."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except (OSError, ValueError):
        return [number for number in _processes() if _parent(number) == pid]


def _processes() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return []


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
