"""Ask a process that `supervisor` started, watch it while it works, and end it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from alembic_pgpatterns.processes.channel import Closed, receive, send, send_bytes
from alembic_pgpatterns.processes.supervisor import DUMP_SIGNAL, Ends, Main, start

_DUMP_SECONDS = 2.0
NOTHING: Iterator[object] = iter(())
_DONE = object()


class Overdue(Exception):
    """It worked on a request for too long. ``stack``: where it was, as faulthandler writes it; empty if unknown."""

    def __init__(self, stack: str) -> None:
        """``stack``: of all threads."""
        super().__init__()
        self.stack = stack


class SupervisedProcess:
    """A process for code that is not ours."""

    _ends: Ends | None = None

    def __init__(self, main: Main) -> None:
        """Start it. No thread may run here, since it is a fork.

        Args:
            main: its main function.
        """
        self._ends = start(main)
        self._pid = 0
        self._exit = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it here. It may have ended."""
        return self._ends is not None

    def send(self, value: Any) -> None:
        """Send plain data. Raises Closed, CodecError."""
        send(self._open().requests, value)

    def send_bytes(self, text: bytes) -> None:
        """Send bytes as they are. Raises Closed."""
        send_bytes(self._open().requests, text)

    def answer(
        self,
        seconds: float,
        serve: Callable[[socket.socket], None] | None = None,
        meanwhile: Iterator[object] = NOTHING,
    ) -> Any:
        """Wait for the answer to what was sent.

        Args:
            seconds: how long the process may take.
            serve: called when there is a report or question on the other channel.
            meanwhile: work of this process in small steps; the next one is done when there is nothing to read.

        Raises:
            Closed: the process has ended.
            CodecError: what it sent is damaged.
            Overdue: it took too long. It still runs.
        """
        ends = self._open()
        deadline = time.monotonic() + seconds
        while True:
            sources: list[Any] = [ends.requests, ends.callbacks, ends.status]
            ready, _, _ = select.select(sources, [], [], 0)
            if not ready and next(meanwhile, _DONE) is not _DONE:
                continue
            ready, _, _ = select.select(sources, [], [], max(deadline - time.monotonic(), 0))
            if serve is not None and ends.callbacks in ready:
                serve(ends.callbacks)
            elif ends.requests in ready:
                return receive(ends.requests)
            elif ends.status in ready:
                self._read_status(ends)
            elif ends.callbacks in ready:
                raise Closed("the process closed its other channel")
            elif not ready:
                raise Overdue(self._stack(ends))

    def _open(self) -> Ends:
        if self._ends is None:
            raise Closed("it was ended here")
        return self._ends

    def _read_status(self, ends: Ends) -> None:
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

    def how_it_ended(self) -> str:
        """``exit code 3``, ``signal SIGKILL``; empty if it cannot be found out. The process is closed afterwards."""
        if self._ends is not None:
            with contextlib.suppress(Closed, OSError):
                while not self._exit and select.select([self._ends.status], [], [], _DUMP_SECONDS)[0]:
                    self._read_status(self._ends)
            self.close()
        return self._exit

    def _stack(self, ends: Ends) -> str:
        """The stack of the process; empty if it does not answer."""
        while not self._pid and select.select([ends.status], [], [], 0)[0]:
            self._read_status(ends)
        with contextlib.suppress(OSError):
            os.kill(self._pid, DUMP_SIGNAL)
        text, deadline = b"", time.monotonic() + _DUMP_SECONDS
        while (seconds := deadline - time.monotonic()) > 0 and select.select([ends.dump], [], [], seconds)[0]:
            part = os.read(ends.dump, 65536)
            text += part
            deadline = min(deadline, time.monotonic() + 0.1)
            if not part:
                break
        return text.decode("utf-8", "replace")

    def close(self) -> None:
        """End the process and all processes that it has started. Returns when they have ended."""
        ends, self._ends = self._ends, None
        if ends is not None:
            ends.close()

    def __del__(self) -> None:
        self.close()
