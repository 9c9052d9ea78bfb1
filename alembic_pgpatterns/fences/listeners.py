"""Sockets of this process and of the project's: which are inherited, and whether a listener belongs to the project.

multiprocessing's managers, a server that a test starts: they talk among themselves, and that harms nobody.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator

from alembic_pgpatterns.fences import unix_sockets
from alembic_pgpatterns.fences.unix_sockets import Address

_LISTENING = "0A"
"""TCP_LISTEN in /proc/net/tcp."""
_MAPPED = b"\0" * 10 + b"\xff\xff"
"""How an IPv4 address begins that is written as an IPv6 one (RFC 4291)."""


def belongs(child: int, family: int, address: Address) -> bool:
    """Whether the child, or a descendant of it, listens there, and nobody else does."""
    inodes = set(_inodes(family, address))
    if not inodes:
        return False
    # Two listeners may have one name: a folder was moved, or a link took its place. Who answers is not known then.
    return inodes <= {inode for pid in _tree(child) for inode in _sockets(pid)}


def is_own(family: int, address: Address) -> bool:
    """Whether this process, or a descendant of it, listens there."""
    if not os.path.isdir("/proc/self"):
        return False
    return belongs(os.getpid(), family, address)


def _inodes(family: int, address: Address) -> Iterator[str]:
    try:
        if family == socket.AF_UNIX and isinstance(address, str):
            yield from unix_sockets.abstract(address) if address.startswith("\0") else unix_sockets.listening(address)
        elif family in (socket.AF_INET, socket.AF_INET6):
            yield from _tcp(family, str(address[0]), int(address[1]))
    except OSError:
        return


def _tcp(family: int, host: str, port: int) -> Iterator[str]:
    """The listeners that answer at a loopback address: those bound to it, otherwise those bound to all addresses."""
    if not _is_loopback(family, host):
        return
    exact, any_address = [], []
    for version in ("tcp", "tcp6"):
        with open(f"/proc/net/{version}") as table:
            for line in list(table)[1:]:
                parts = line.split()
                local, _, local_port = parts[1].partition(":")
                if parts[3] == _LISTENING and int(local_port, 16) == port:
                    bound = _address(local)
                    exact += [parts[9]] if bound == _packed(family, host) else []
                    any_address += [parts[9]] if not any(bound) else []
    yield from exact or any_address


def _is_loopback(family: int, host: str) -> bool:
    return host.startswith("127.") if family == socket.AF_INET else host == "::1"


def _packed(family: int, host: str) -> bytes:
    """The address as IPv6 has it: a listener for both versions is in the table of IPv6 alone."""
    raw = socket.inet_pton(family, host)
    return raw if family == socket.AF_INET6 else _MAPPED + raw


def _address(local: str) -> bytes:
    """A listener's address from the table, as IPv6 has it; zeros for all addresses."""
    # The kernel prints each word of four bytes in the machine's order.
    words = [struct.pack("<I", int(local[start : start + 8], 16)) for start in range(0, len(local), 8)]
    raw = b"".join(words)
    return raw if len(raw) == 16 or not any(raw) else _MAPPED + raw


def _tree(root: int) -> list[int]:
    """The process and all its descendants. Orphans became children of the gatekeeper, its parent."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            children.setdefault(_parent(int(entry)), []).append(int(entry))
    processes, waiting = [root], [root]
    if children.get(os.getpid(), []) and _parent(root) == os.getpid():
        waiting.append(os.getpid())
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            if pid not in processes:
                processes.append(pid)
                waiting.append(pid)
    return processes


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name in parentheses comes before, and may contain spaces and parentheses itself (proc_pid_stat(5)).
            return int(stat.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    inodes: set[str] = set()
    try:
        entries = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return inodes
    for entry in entries:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def inherited_sockets() -> Iterator[int]:
    """Sockets that whoever forks has open, such as a connection of ``--live``: the project's code must not have them.

    Files and pipes stay: ``alembic -x data=<(command)`` hands one to env.py.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError):
                if int(name) > 2 and stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    yield int(name)
