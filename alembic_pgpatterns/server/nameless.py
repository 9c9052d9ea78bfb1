"""Run initdb under a user id without a name, as in ``docker run --user 54321``.

initdb, and the server that it starts, ask the system for the name of their user and give up if there is none, although
they do not use it. So when they open /etc/passwd they get a copy of it with a line for this user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import select
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from alembic_pgpatterns.fences import seccomp

_PASSWD = "/etc/passwd"
_SECONDS = 0.05


def has_name(uid: int) -> bool:
    """Whether the system knows a name for this user id."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def line_to_add(uid: int) -> str:
    """The line of /etc/passwd that would give it a name."""
    return f"pgpatterns:x:{uid}:0::/tmp:/bin/sh"


def run(start: Callable[[Callable[[], None]], subprocess.Popen[bytes]], uid: int) -> int:
    """Run a program that asks for the name of the user ``uid``. Returns its exit code.

    Args:
        start: starts the program; its argument is a function that must be called between fork() and exec().
        uid: the user id without a name.

    Raises:
        OSError: it cannot be started, or the kernel is too old for this (older than Linux 5.14).
    """
    parent_end, child_end = socket.socketpair()
    with parent_end, child_end:
        process = start(lambda: _ask_about_files(child_end))
        _, descriptors, _, _ = socket.recv_fds(parent_end, 1, 1)
    if not descriptors:
        process.kill()
        process.wait()
        raise OSError("the kernel does not let one process answer the system calls of another")
    listener = descriptors[0]
    try:
        _answer_until_it_ends(process, listener, _passwd(uid))
    finally:
        os.close(listener)
    return process.wait()


def _passwd(uid: int) -> bytes:
    content = b""
    with contextlib.suppress(OSError):
        content = Path(_PASSWD).read_bytes()
    return content.rstrip(b"\n") + f"\n{line_to_add(uid)}\n".encode()


def _ask_about_files(channel: socket.socket) -> None:
    listener = seccomp.ask_about_files()
    if listener is None:
        channel.sendall(b"-")
        return
    socket.send_fds(channel, [b"+"], [listener])
    os.close(listener)


def _answer_until_it_ends(process: subprocess.Popen[bytes], listener: int, passwd: bytes) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while process.poll() is None:
        for _, event in poll.poll(_SECONDS * 1000):
            if event & select.POLLIN:
                _answer(listener, passwd)


def _answer(listener: int, passwd: bytes) -> None:
    request = bytearray(seccomp.NOTIFICATION)
    with contextlib.suppress(OSError):  # the process has ended
        fcntl.ioctl(listener, seccomp.RECEIVE, request, True)
        identifier, pid = struct.unpack_from("QI", request)
        if _path(pid, seccomp.opened_path(request)) == _PASSWD.encode():
            _hand_over(listener, identifier, passwd)
        else:
            fcntl.ioctl(listener, seccomp.SEND, seccomp.let_pass(identifier))


def _path(pid: int, where: int) -> bytes:
    """The text at an address in a process's memory, up to the length that matters."""
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(where)
        return memory.read(len(_PASSWD) + 1).partition(b"\0")[0]
    return b""


def _hand_over(listener: int, identifier: int, content: bytes) -> None:
    """Answer with a descriptor of a file that exists only in memory."""
    descriptor = os.memfd_create("passwd")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.ioctl(listener, seccomp.ADD_DESCRIPTOR, seccomp.descriptor(identifier, descriptor))
    finally:
        os.close(descriptor)
