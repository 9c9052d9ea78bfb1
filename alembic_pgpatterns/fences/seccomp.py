"""seccomp filters: programs in the kernel that look at each system call of a process and of all its children.

Two of them: one refuses every connection, for PostgreSQL, which never needs to make one; the other asks the
gatekeeper about each (`gate`). Kernel docs, "Seccomp BPF (SECure COMPuting with filters)".
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable

from alembic_pgpatterns.fences import syscalls
from alembic_pgpatterns.fences.syscalls import Architecture

_SET_MODE_FILTER, _GET_ACTION_AVAILABLE = 1, 2
_NEW_LISTENER = 1 << 3
_ALLOW, _ERRNO, _USER_NOTIF = 0x7FFF0000, 0x00050000, 0x7FC00000

# Classic BPF: load a word, compare, return.
_LOAD, _EQUAL, _GREATER_OR_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
"""The offsets of the system call's number and of the architecture in struct seccomp_data."""

_MSG_FASTOPEN = 0x20000000
"""A flag of send() that also connects (TCP Fast Open)."""

_X32 = 0x40000000
"""The bit in the number of a system call of x86-64's second ABI, in which every call has another number."""

# ioctl numbers of <linux/seccomp.h> for the answering process. They contain the sizes of the structures.
RECEIVE, SEND = 0xC0502100, 0xC0182101
NOTIFICATION = 80
ADD_DESCRIPTOR = 0x40182103
_AND_ANSWER = 2
_CONTINUE = 1

Instruction = tuple[int, int, int, int]


def available() -> bool:
    """Whether this kernel accepts filters that ask another process (Linux 5.5; not in every container)."""
    machine = syscalls.architecture()
    if machine is None or sys.byteorder != "little":
        return False
    try:
        syscalls.call(machine.seccomp, _GET_ACTION_AVAILABLE, 0, struct.pack("I", _USER_NOTIF))
    except OSError:
        return False
    return True


def _argument(number: int) -> tuple[int, int]:
    """Where the low and the high word of an argument are (little-endian)."""
    return 16 + 8 * number, 20 + 8 * number


def let_pass(identifier: int) -> bytes:
    """The answer to a notification (struct seccomp_notif_resp): the call takes place."""
    # The kernel reads the address a second time now, so a thread could exchange it in between (seccomp_unotify(2)).
    # This fence is against accidents; Landlock has no such gap.
    return struct.pack("QqiI", identifier, 0, 0, _CONTINUE)


def returned(identifier: int, value: int = 0, error: int = 0) -> bytes:
    """The answer to a notification: the call does not take place, and returns this value or error."""
    return struct.pack("QqiI", identifier, value, -error, 0)


def descriptor(identifier: int, source: int) -> bytes:
    """struct seccomp_notif_addfd: the call returns a copy of our descriptor, closed by exec() (Linux 5.14)."""
    return struct.pack("QIIII", identifier, _AND_ANSWER, source, 0, os.O_CLOEXEC)


def program(machine: Architecture, connecting: int) -> bytes:
    """The filter: ``connecting``: the action for a call that connects, or sends to an address."""
    refused = _ERRNO | errno.EACCES
    unknown = _ERRNO | errno.ENOSYS
    instructions: list[Instruction] = [
        *_of_this_machine(machine),
        (_EQUAL, 0, 1, machine.connect),
        (_RETURN, 0, 0, connecting),
        # io_uring connects without a system call of that name. Programs work without it.
        (_EQUAL, 0, 1, syscalls.IO_URING_SETUP),
        (_RETURN, 0, 0, unknown),
        # send() is sendto() without an address, on a socket that is connected already.
        *_if_called(machine.sendto, _not_null(4, connecting)),
        *_if_called(machine.sendmsg, _has_bits(2, _MSG_FASTOPEN, refused)),
        *_if_called(machine.sendmmsg, _has_bits(3, _MSG_FASTOPEN, refused)),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return _assembled(instructions)


def _of_this_machine(machine: Architecture) -> list[Instruction]:
    """Load the number of the call. A program for another architecture has other numbers, which are not known here."""
    unknown = _ERRNO | errno.ENOSYS
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, unknown),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER_OR_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, unknown),
    ]


def _assembled(instructions: list[Instruction]) -> bytes:
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def _if_called(number: int, body: list[Instruction]) -> list[Instruction]:
    """The body runs for that system call only; it ends with a return."""
    return [(_EQUAL, 0, len(body), number), *body]


def _not_null(argument: int, action: int) -> list[Instruction]:
    low, high = _argument(argument)
    return [
        (_LOAD, 0, 0, low),
        (_EQUAL, 0, 2, 0),
        (_LOAD, 0, 0, high),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, action),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _has_bits(argument: int, bits: int, action: int) -> list[Instruction]:
    low, _ = _argument(argument)
    return [(_LOAD, 0, 0, low), (_ANY_BIT, 0, 1, bits), (_RETURN, 0, 0, action), (_RETURN, 0, 0, _ALLOW)]


def refuse_connections() -> bool:
    """From now on connect() fails with EACCES, by any protocol including Unix sockets.

    Returns:
        Whether it holds; False where the kernel lacks it.
    """
    return _install(lambda machine: program(machine, _ERRNO | errno.EACCES), 0) is not None


def ask_about_connections() -> int | None:
    """From now on each connect() waits until a process answers on the returned descriptor.

    None where the kernel lacks it, or where another filter of this process has a descriptor already.
    """
    return _install(lambda machine: program(machine, _USER_NOTIF), _NEW_LISTENER)


def ask_about_files() -> int | None:
    """The same for calls that open a file, instead of those that connect."""

    def asking(machine: Architecture) -> bytes:
        ask = [(_RETURN, 0, 0, _USER_NOTIF)]
        numbers = [number for number in (machine.open, machine.openat) if number is not None]
        calls = [instruction for number in numbers for instruction in _if_called(number, ask)]
        return _assembled([*_of_this_machine(machine), *calls, (_RETURN, 0, 0, _ALLOW)])

    return _install(asking, _NEW_LISTENER)


def opened_path(request: bytearray) -> int:
    """The address of the path in a notification about a file."""
    machine = syscalls.architecture()
    number = struct.unpack_from("i", request, 16)[0]
    arguments = struct.unpack_from("6Q", request, 32)
    return int(arguments[0] if machine is not None and number == machine.open else arguments[1])


def _install(build: Callable[[Architecture], bytes], flags: int) -> int | None:
    if not available():
        return None
    machine = syscalls.architecture()
    assert machine is not None
    code = build(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and where they are.
    head = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    try:
        syscalls.give_up_privileges()
        return syscalls.call(machine.seccomp, _SET_MODE_FILTER, flags, head)
    except OSError:
        return None
