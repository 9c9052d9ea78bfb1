"""Frames over a socket: a length, then a text that the codec reads."""

from __future__ import annotations

import os
import socket
import struct
import threading
from typing import Any

from alembic_pgpatterns.runner import codec

_LENGTH = struct.Struct(">Q")
_CHUNK = 1 << 20


class Closed(Exception):
    """The other end is gone."""


def send(connection: socket.socket, value: Any) -> None:
    """Send one value.

    Raises:
        Closed: the other end is gone.
        CodecError: it is not plain data.
    """
    text = codec.encode(value)
    try:
        connection.sendall(_LENGTH.pack(len(text)) + text)
    except OSError as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket) -> Any:
    """Receive one value.

    Raises:
        Closed: the other end is gone, perhaps in the middle.
        CodecError: what came is none of ours.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return codec.decode(_exactly(connection, length))


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        try:
            part = connection.recv(min(count - len(parts), _CHUNK))
        except OSError as error:
            raise Closed(str(error)) from error
        if not part:
            raise Closed("the other end closed the connection")
        parts += part
    return bytes(parts)


class Parent:
    """The parent, as the project's process sees it: it can be told something, or asked.

    Threads of the project may open connections, so each question waits for its answer alone. A process that the
    project forked is not the one that the parent speaks with, and may not.
    """

    def __init__(self, connection: socket.socket) -> None:
        """``connection``: to the parent, for nothing but this."""
        self._connection = connection
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def tell(self, what: str, *values: Any) -> None:
        """Tell it something; nothing comes back. Raises Closed."""
        if os.getpid() == self._pid:
            with self._lock:
                send(self._connection, ("tell", what, values))

    def ask(self, what: str, *values: Any) -> Any:
        """Ask it something, and wait for the answer.

        Raises:
            Closed: it is gone.
            Refused: the parent could not do it; its message is for people.
        """
        if os.getpid() != self._pid:
            raise Refused("a process that the project forked cannot reach the throw-away server for the first time.")
        with self._lock:
            send(self._connection, ("ask", what, values))
            kind, answer = receive(self._connection)
        if kind == "refused":
            raise Refused(answer)
        return answer


class Refused(Exception):
    """The parent could not do what it was asked for; the message is for people."""
