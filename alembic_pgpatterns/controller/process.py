"""The parent's side of the project's process: start it, send requests, watch it, and end it with all its children.

There are three processes: the parent (the command), a supervisor, and below it the one that runs the project's code.
The supervisor runs no code of the project. It ends when the parent ends, in whatever way, and then kills every process
that the project's code has started: on Linux, orphans below it become its own children (prctl(2),
PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from alembic_pgpatterns.controller import traceback_text
from alembic_pgpatterns.controller.confinement import CANNOT_START, Confinement, no_python
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.listeners import inherited_sockets
from alembic_pgpatterns.fences.stand import stand_in_kernel
from alembic_pgpatterns.runner.bootstrap import BOOTSTRAP, DUMP_SIGNAL, ENTRY, ChildEnds, Task, config_facts
from alembic_pgpatterns.runner.channel import Closed, receive, send
from alembic_pgpatterns.runner.codec import CodecError
from alembic_pgpatterns.runner.messages import Failure

_PR_SET_CHILD_SUBREAPER = 36
_DUMP_SECONDS = 2.0
_END_SECONDS = 5.0
_REST_SECONDS = 60.0
"""Within so many seconds the rest of a message comes, once it has begun."""
_DAMAGED = (
    "{where}what the project's process sends is damaged ({error}), so nothing more could be checked. "
    "Look for code that writes to a descriptor which it has not opened, such as os.write(3, …)."
)

Handlers = Mapping[str, Callable[..., Any]]
"""What the project's process may report or ask, by name."""

Main = Callable[[ChildEnds], None]
"""The main function of the process."""

_descriptors: set[int] = set()
"""Descriptors of all processes started here. No other process may hold them, or the end of one would go unnoticed."""


class ProjectFailed(PgPatternsError):
    """The project's code failed; ``failure`` says how."""

    def __init__(self, failure: Failure) -> None:
        """``failure``: what happened."""
        super().__init__(failure.message)
        self.failure = failure


def _fork(allowed: Allowed, config: Any, task: Task | None) -> Main:
    """The main function of a fork. It imports its modules itself, while the parent goes on."""
    return lambda ends: pkgutil.resolve_name(ENTRY)(ends, allowed, lambda: config, task)


@dataclass
class _Ends:
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


class ProjectProcess:
    """A process that runs one project's code."""

    def __init__(self, config: Any, confinement: Confinement, task: Task | None = None) -> None:
        """Start it, as a fork of this process or with another interpreter.

        For a fork, nothing of the project may be imported here yet, and no thread may run.

        Args:
            config: Alembic's.
            confinement: how long one request may take, and where the project may connect.
            task: what the request "task" does, in a fork.
        """
        self.time_limit = confinement.time_limit
        """Seconds that one request may take."""
        self._running: tuple[str, ...] = ()
        self._pid = 0
        self._exit = ""
        allowed, python = confinement.allowed, confinement.python
        self._silent = python
        self._ends: _Ends | None = _start(
            partial(_execute, python, allowed) if python is not None else _fork(allowed, config, task)
        )
        if python is not None:
            send(self._ends.requests, (allowed, config_facts(config)))

    def request(self, name: str, *values: Any, handlers: Handlers) -> Any:
        """Send a request and return its result.

        Args:
            name: the name of a method of `runner.child.Child`.
            values: its arguments, plain data.
            handlers: what the process may report or ask until then.

        Raises:
            ProjectFailed: it failed, the process ended, or it took too long.
        """
        ends = self._ends
        if ends is None:
            raise ProjectFailed(Failure("The project's process has ended already."))
        try:
            send(ends.requests, (name, values))
            kind, answer = self._answer(ends, handlers)
        except Closed:
            raise self._ended(ends) from None
        except CodecError as error:
            self.close()
            raise ProjectFailed(Failure(_DAMAGED.format(where=self._where(), error=error))) from None
        if kind == "failed":
            raise ProjectFailed(answer)
        self._silent = None
        return answer

    def _answer(self, ends: _Ends, handlers: Handlers) -> tuple[str, Any]:
        deadline = time.monotonic() + self.time_limit
        while True:
            sources: list[Any] = [ends.requests, ends.callbacks, ends.status]
            ready, _, _ = select.select(sources, [], [], max(deadline - time.monotonic(), 0))
            if ends.callbacks in ready:
                self._serve(ends, handlers)
            elif ends.requests in ready:
                return receive(ends.requests)  # type: ignore[no-any-return]
            elif ends.status in ready:
                self._read_status(ends)
            elif not ready:
                raise self._too_long(ends)

    def _serve(self, ends: _Ends, handlers: Handlers) -> None:
        """Handle one report or question of the process."""
        kind, subject, values = receive(ends.callbacks)
        if kind == "tell" and subject == "running":
            self._running = values
        handler = handlers.get(subject)
        try:
            answer = ("done", handler(*values) if handler is not None else None)
        except PgPatternsError as error:
            answer = ("refused", str(error))
        if kind == "ask":
            send(ends.callbacks, answer)

    def _read_status(self, ends: _Ends) -> None:
        """Read the supervisor's report: the process's id, or how it ended. Raises Closed if it ended."""
        text = os.read(ends.status, 4096).decode()
        for line in text.splitlines():
            word, _, detail = line.partition(" ")
            if word == "pid":
                self._pid = int(detail)
            else:
                self._exit = detail
        if not text or self._exit:
            raise Closed(self._exit)

    def _ended(self, ends: _Ends) -> ProjectFailed:
        with contextlib.suppress(Closed, OSError):
            while not self._exit and select.select([ends.status], [], [], _DUMP_SECONDS)[0]:
                self._read_status(ends)
        self.close()
        how = self._exit or "for an unknown reason"
        if self._silent is not None and not self._running:
            return ProjectFailed(Failure(no_python(self._silent, how)))
        return ProjectFailed(
            Failure(
                f"{self._where()}the project's code ended its own process ({how}), so nothing more could "
                "be checked. Look for os._exit(), os.abort() or os.kill() there, or for a crash of a C extension."
            )
        )

    def _where(self) -> str:
        if not self._running:
            return ""
        path, *revision = self._running
        place = traceback_text.relative(path)
        return f"{place}: revision {revision[0]}: " if revision else f"{place}: "

    def _too_long(self, ends: _Ends) -> ProjectFailed:
        while not self._pid and select.select([ends.status], [], [], 0)[0]:
            self._read_status(ends)
        text = _dump(ends, self._pid)
        place = traceback_text.place(text, self._running[0] if self._running else None)
        self.close()
        where = f"{place}: " if place else self._where()
        return ProjectFailed(
            Failure(
                f"{where}the project's code ran for longer than time_limit ({self.time_limit:g} s) and was ended "
                'there. If it needs longer, set time_limit = "30m" in [tool.alembic_pgpatterns].',
                place=place,
            )
        )

    def close(self) -> None:
        """End the process and all processes that it has started. Returns when they have ended."""
        ends, self._ends = self._ends, None
        if ends is None:
            return
        _descriptors.difference_update(ends.descriptors())
        ends.requests.close()
        ends.callbacks.close()
        # The supervisor sees the end of this pipe and kills everything below it. The same happens if this process is
        # killed.
        os.close(ends.alive)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(ends.supervisor, 0)
        os.close(ends.status)
        os.close(ends.dump)

    def __del__(self) -> None:
        if self._ends is not None:
            self.close()


def _dump(ends: _Ends, pid: int) -> str:
    """The process's stack, as faulthandler writes it; empty if it does not answer."""
    with contextlib.suppress(OSError):
        os.kill(pid, DUMP_SIGNAL)
    text, deadline = b"", time.monotonic() + _DUMP_SECONDS
    while (seconds := deadline - time.monotonic()) > 0 and select.select([ends.dump], [], [], seconds)[0]:
        part = os.read(ends.dump, 65536)
        text += part
        deadline = min(deadline, time.monotonic() + 0.1)
        if not part:
            break
    return text.decode("utf-8", "replace")


def _start(main: Main) -> _Ends:
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
    supervisor = os.fork()
    if supervisor:
        requests_there.close()
        callbacks_there.close()
        for number in (status_there, alive_there, dump_there):
            os.close(number)
        ends = _Ends(requests, callbacks, status, alive, dump, supervisor)
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


def _execute(python: Path, allowed: Allowed, ends: ChildEnds) -> None:
    """Replace this process by the project's interpreter.

    The kernel's fences stand before it starts, since it runs sitecustomize and .pth files before this package; and what
    these print is not part of the report.
    """
    kernel_fences = stand_in_kernel(allowed)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    numbers = (ends.requests.fileno(), ends.callbacks.fileno(), ends.dump)
    for number in numbers:
        os.set_inheritable(number, True)
    root = str(Path(__file__).parents[1])
    with contextlib.suppress(OSError):
        os.execv(python, [str(python), "-c", BOOTSTRAP, *map(str, numbers), ",".join(kernel_fences), root])
    os._exit(CANNOT_START)


def _supervise(project: Callable[[], None], status: int, alive: int) -> NoReturn:
    """Wait until the project's process or the parent ends, then kill everything."""
    # A session of its own: Ctrl-C in the terminal is for the parent, which then ends this one in order.
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # Orphans of the project's processes become children of this one, and not of init, so they can be found and killed.
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
            project()
        finally:
            traceback.print_exc()
            os._exit(1)
    os.write(status, f"pid {pid}\n".encode())
    _wait(pid, status, alive, signals)
    _end_descendants(pid)
    os._exit(0)


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
