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

from alembic_pgpatterns.fences.allowed import Address

_LISTENING = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


def belongs(child: int, family: int, address: Address) -> bool:
    """Whether the child, or a descendant of it, listens there."""
    inodes = set(_inodes(family, address))
    return bool(inodes) and any(inodes & _sockets(pid) for pid in _tree(child))


def is_own(family: int, address: Address) -> bool:
    """Whether this process, or a descendant of it, listens there."""
    if not os.path.isdir("/proc/self"):
        return False
    return belongs(os.getpid(), family, address)


def _inodes(family: int, address: Address) -> Iterator[str]:
    try:
        if family == socket.AF_UNIX and isinstance(address, str):
            yield from _unix(address)
        elif family in (socket.AF_INET, socket.AF_INET6):
            yield from _tcp(family, str(address[0]), int(address[1]))
    except OSError:
        return


def _unix(path: str) -> Iterator[str]:
    shown = f"@{path[1:]}" if path.startswith("\0") else path
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            # The path is the last field, and may contain spaces.
            parts = line.rstrip("\n").split(maxsplit=7)
            if len(parts) == 8 and parts[7] == shown:
                yield parts[6]


def _tcp(family: int, host: str, port: int) -> Iterator[str]:
    for version in ("tcp", "tcp6"):
        with open(f"/proc/net/{version}") as table:
            for line in list(table)[1:]:
                parts = line.split()
                local, _, local_port = parts[1].partition(":")
                listens = parts[3] == _LISTENING and int(local_port, 16) == port
                if listens and _is_loopback(family, host) and _accepts(local):
                    yield parts[9]


def _is_loopback(family: int, host: str) -> bool:
    return host.startswith("127.") if family == socket.AF_INET else host == "::1"


def _accepts(local: str) -> bool:
    """Whether a listener there is reached by loopback: it listens on loopback or on all addresses."""
    # The kernel prints each word of four bytes in the machine's order.
    words = [struct.pack("<I", int(local[start : start + 8], 16)) for start in range(0, len(local), 8)]
    raw = b"".join(words)
    last = raw[-4:]
    return not any(raw) or last[0] == 127 or raw == b"\0" * 15 + b"\1"


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
