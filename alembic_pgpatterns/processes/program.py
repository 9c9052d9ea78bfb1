"""The same for a system without fork(), such as Windows: another interpreter, reached by TCP on this machine alone.

Nothing can be handed down there but standard input. So the program gets a secret by it, connects, and proves itself
with the secret, which no other user of the machine can know.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from alembic_pgpatterns.processes.channel import Closed, receive, send
from alembic_pgpatterns.processes.supervised import NOTHING, Overdue

CAN_FORK = hasattr(os, "fork")
"""Whether this system has fork(), which POSIX has and Windows has not (Python docs, os.fork)."""

_HERE = "127.0.0.1"
_SECRET = 32
"""Bytes."""
_NAMES = (b"requests ", b"callbacks", b"stack    ")
"""What a connection is for, by the first bytes that it sends after the secret."""
_START_SECONDS = 60.0
_REST_SECONDS = 60.0
_STACK_SECONDS = 2.0
_LOOK_SECONDS = 0.2
"""How often to see whether the program has ended."""


class ProgramProcess:
    """Like `SupervisedProcess`: a process for code that is not ours, started as a program."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it.

        Args:
            command: the program, which calls `connected`; gets the port of this process as its last argument.

        Raises:
            Closed: it ended before it had connected.
            OSError: it cannot be started.
        """
        self._exit = ""
        self._ends: list[socket.socket] = []
        with socket.create_server((_HERE, 0)) as listener:
            listener.settimeout(_LOOK_SECONDS)
            # The report goes to stdout, so what the code prints goes to stderr, as after a fork.
            self._process = subprocess.Popen(
                [*command, str(listener.getsockname()[1])], stdin=subprocess.PIPE, stdout=sys.stderr, close_fds=True
            )
            self._open = True
            secret = secrets.token_bytes(_SECRET)
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.write(secret)
                self._process.stdin.flush()
            self._ends = self._accept(listener, secret)

    def _accept(self, listener: socket.socket, secret: bytes) -> list[socket.socket]:
        ends: dict[bytes, socket.socket] = {}
        deadline = time.monotonic() + _START_SECONDS
        while len(ends) < len(_NAMES):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Closed(self.how_it_ended())
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(_REST_SECONDS)
                text = _read(connection, _SECRET + len(_NAMES[0]))
                if hmac.compare_digest(text[:_SECRET], secret) and text[_SECRET:] in _NAMES:
                    ends[text[_SECRET:]] = connection
                else:
                    connection.close()
        return [ends[name] for name in _NAMES]

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it here. It may have ended."""
        return self._open

    def send(self, value: Any) -> None:
        """Send plain data. Raises Closed, CodecError."""
        if not self._open:
            raise Closed("it was ended here")
        send(self._ends[0], value)

    def answer(
        self,
        seconds: float,
        serve: Callable[[socket.socket], None] | None = None,
        meanwhile: Iterator[object] = NOTHING,
    ) -> Any:
        """Wait for the answer to what was sent. Arguments and errors: see `SupervisedProcess.answer`."""
        requests, callbacks, _ = self._ends
        for _ in meanwhile:  # all at once: without fork(), starting the program takes longer than this
            pass
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select([requests, callbacks], [], [], left)
            if serve is not None and callbacks in ready:
                serve(callbacks)
            elif requests in ready:
                return receive(requests)
            elif ready:
                raise Closed("the process closed its other channel")
            else:
                raise Overdue(self._stack())

    def how_it_ended(self) -> str:
        """``exit code 3``; empty if it has not ended. The process is closed afterwards."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_STACK_SECONDS)
            self._exit = f"exit code {code}" if code >= 0 else f"signal {-code}"
        self.close()
        return self._exit

    def _stack(self) -> str:
        """The stack of the process; empty if it does not answer, as when it computes in C without an end."""
        stack = self._ends[2]
        with contextlib.suppress(OSError):
            stack.sendall(b"?")
            if select.select([stack], [], [], _STACK_SECONDS)[0]:
                return stack.recv(1 << 16).decode("utf-8", "replace")
        return ""

    def close(self) -> None:
        """End the process and what it has started, as far as the system can find that. Returns when it has ended."""
        if not self._open:
            return
        self._open = False
        if sys.platform == "win32":
            # With /T all that it has started, which no call of Python's finds (Microsoft, "taskkill").
            with contextlib.suppress(OSError):
                command = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
                subprocess.run(command, capture_output=True, check=False)
        self._process.kill()
        self._process.wait()
        for end in self._ends:
            end.close()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            self.close()


def program(python: Path, source: str, *arguments: str) -> list[str]:
    """The command of an interpreter that runs some source with arguments."""
    return [str(python), "-c", source, *arguments]


def connected(port: int) -> tuple[socket.socket, socket.socket]:
    """In the program: connect to the one that started it. Returns the channels for requests and callbacks.

    From then on a thread says where the main thread is when it is asked, and another ends this process when that other
    one has ended, in whatever way.
    """
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    secret = source.read(_SECRET)
    ends = []
    for name in _NAMES:
        end = socket.create_connection((_HERE, port))
        end.sendall(secret + name)
        ends.append(end)
    threading.Thread(target=_end_with, args=(source,), daemon=True).start()
    threading.Thread(target=_say_stack, args=(ends[2], threading.get_ident()), daemon=True).start()
    return ends[0], ends[1]


def _end_with(source: Any) -> None:
    while source.read(1):
        pass
    os._exit(1)


def _say_stack(end: socket.socket, thread: int) -> None:
    """Answer each question with the stack in the form of faulthandler, the innermost call first."""
    while end.recv(1):
        stack = reversed(traceback.extract_stack(sys._current_frames()[thread]))
        lines = [f'  File "{item.filename}", line {item.lineno} in {item.name}' for item in stack]
        end.sendall("\n".join([f"Current thread 0x{thread:016x} (most recent call first):", *lines, ""]).encode())


def _read(connection: socket.socket, count: int) -> bytes:
    text = b""
    with contextlib.suppress(OSError):
        while len(text) < count and (part := connection.recv(count - len(text))):
            text += part
    return text
