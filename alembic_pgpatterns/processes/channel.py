"""Messages over a socket: a length, then a text for the codec."""

from __future__ import annotations

import os
import socket
import struct
import threading
from typing import Any

from alembic_pgpatterns.processes import codec

_LENGTH = struct.Struct(">Q")
# recv() allocates as many bytes as it is asked for, however few arrive.
_CHUNK = 1 << 20


_LONGEST = 1 << 32
"""Bytes of a message. What claims to be longer is none: the project's code has written to the descriptor."""


class Closed(Exception):
    """The other end has closed the connection."""


def send(connection: socket.socket, value: Any) -> None:
    """Send one value.

    Raises:
        Closed: the other end has closed the connection.
        CodecError: the value is not plain data.
    """
    send_bytes(connection, codec.encode(value))


def send_bytes(connection: socket.socket, text: bytes) -> None:
    """Send bytes as they are.

    Raises:
        Closed: the other end has closed the connection.
    """
    try:
        connection.sendall(_LENGTH.pack(len(text)) + text)
    except OSError as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket) -> Any:
    """Receive one value.

    Raises:
        Closed: the other end has closed the connection, maybe in the middle of a message.
        CodecError: `send` did not make the message.
    """
    return codec.decode(receive_bytes(connection))


def receive_bytes(connection: socket.socket) -> bytes:
    """Receive what `send_bytes` sent. Raises Closed, CodecError; see `receive`."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > _LONGEST:
        raise codec.CodecError(f"a message of {length} bytes")
    return _exactly(connection, length)


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
    """The parent, for the project's process: send it reports and questions.

    Threads of the project may open connections, so each question waits for its answer before the next one is sent. A
    process that the project forked must not use the connection.
    """

    def __init__(self, connection: socket.socket) -> None:
        """``connection``: to the parent, used only for this."""
        self._connection = connection
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def tell(self, subject: str, *values: Any) -> None:
        """Send a report; there is no answer. Raises Closed."""
        # A fork of the project's has the same socket: two writers would mix their messages.
        if os.getpid() == self._pid:
            with self._lock:
                send(self._connection, ("tell", subject, values))

    def ask(self, subject: str, *values: Any) -> Any:
        """Send a question, and wait for the answer.

        Raises:
            Closed: the parent has ended.
            Refused: the parent could not do it; the message is for the user.
        """
        if os.getpid() != self._pid:
            raise Refused("a process that the project forked cannot open the first connection to a scratch database.")
        with self._lock:
            send(self._connection, ("ask", subject, values))
            kind, answer = receive(self._connection)
        if kind == "refused":
            raise Refused(answer)
        return answer


class Refused(Exception):
    """The parent could not do what it was asked for; the message is for the user."""
