"""System calls that Python's library has no function for, by number. Linux only."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 1, 38, 36


@dataclass(frozen=True)
class Architecture:
    """The numbers of system calls that differ between machines (the kernel's unistd.h), and the machine's name."""

    audit: int
    connect: int
    sendto: int
    sendmsg: int
    sendmmsg: int
    seccomp: int
    openat: int
    open: int | None


# Since Linux 5.1 new system calls have the same number everywhere.
IO_URING_SETUP, PIDFD_OPEN, PIDFD_GETFD = 425, 434, 438
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446

_ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, 42, 44, 46, 307, 317, 257, 2),
    "aarch64": Architecture(0xC00000B7, 203, 206, 211, 269, 277, 56, None),
}


def architecture() -> Architecture | None:
    """The numbers of this machine; None if they are not known here."""
    # A 32-bit Python on a 64-bit kernel has the numbers of the other architecture.
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    return _ARCHITECTURES.get(platform.machine())


_libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: Any) -> int:
    """Make a system call. Integers go as long, bytes as a pointer. Raises OSError."""
    passed = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *passed))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, value: int) -> None:
    """prctl() with one argument. Raises OSError."""
    # All five arguments: the function takes any number, and some options demand that the unused ones are 0.
    if _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def give_up_privileges() -> None:
    """Nothing that this process starts can gain privileges; a filter may then be put up without being root."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
