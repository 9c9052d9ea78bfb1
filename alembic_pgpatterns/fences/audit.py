"""The fence of Python's audit events: it refuses a socket before it connects, and knows file and line.

An audit hook cannot be taken back (Python docs, "Audit events table"), so it is for processes that end with the
project's code. What a library in C connects to raises no event.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from alembic_pgpatterns.fences import listeners
from alembic_pgpatterns.fences.allowed import Allowed, describe
from alembic_pgpatterns.fences.refusals import Refusal, Sink, current_place

_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_STARTING = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system")


class ConnectionNotAllowed(ConnectionRefusedError):
    """Raised instead of connecting. It is an OSError, as for a server that does not run."""


class ProgramNotAllowed(PermissionError):
    """Raised instead of starting a program, if no other fence would stop its connections."""


def stand(allowed: Allowed, sink: Sink, *, programs: bool) -> None:
    """Let Python's sockets connect only where it is allowed, from now on.

    Args:
        allowed: where connections may go.
        sink: is told what was refused, with file and line.
        programs: whether other programs may be started: yes where a fence of the kernel holds for them too.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTING:
            _check(arguments[0], arguments[1], allowed, sink)
        elif event in _STARTING and not programs:
            _refuse_program(event, arguments, sink)

    sys.addaudithook(hook)


def _check(caller: Any, address: Any, allowed: Allowed, sink: Sink) -> None:
    # sendmsg() on a connected socket names no address.
    if address is None:
        return
    # Syslog is a datagram too, but by a Unix socket, and these have rules of their own.
    is_udp = caller.type == socket.SOCK_DGRAM and caller.family != socket.AF_UNIX
    if isinstance(address, bytes):
        address = address.decode("utf-8", "surrogateescape")
    if allowed.permits(caller.family, address, is_udp) or listeners.is_own(caller.family, address):
        return
    attempt = f"a connection to {describe(caller.family, address)}"
    where = current_place()
    if not is_udp:
        sink.tell(Refusal(attempt, where))
    raise ConnectionNotAllowed(
        f"{attempt} was refused: while a project is checked its code may only connect to the check's own server. "
        "Where it needs another, say so by the setting allow_connect."
    )


def _refuse_program(event: str, arguments: tuple[Any, ...], sink: Sink) -> None:
    program = arguments[0]
    if isinstance(program, bytes):
        program = program.decode("utf-8", "replace")
    attempt, where = f"starting the program {program}", current_place()
    sink.tell(Refusal(attempt, where))
    raise ProgramNotAllowed(
        f"{attempt} was refused: on this machine nothing could keep it from connecting to a real database. "
        "Run the check on Linux 5.5 or later."
    )
