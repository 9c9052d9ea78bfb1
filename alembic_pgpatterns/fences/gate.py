"""The gate: another process decides about each connection of the project's processes.

A seccomp filter makes connect() wait until this process allows or refuses it, whatever made the call: Python, a driver
in C, a program that a revision starts. It sees hosts, ports and Unix sockets that are files, which Landlock does not.
Linux 5.5, x86-64 and ARM64.

The process that calls `stand` becomes the gatekeeper and its child goes on, for two reasons: where Yama allows tracing
of descendants only (kernel.yama.ptrace_scope = 1, as on Ubuntu), just an ancestor may read the address; and a process
that ends with its gatekeeper cannot outlive it. The gatekeeper ends as its child ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import struct
from typing import NoReturn

from alembic_pgpatterns.fences import listeners, seccomp, syscalls
from alembic_pgpatterns.fences.allowed import Allowed, describe
from alembic_pgpatterns.fences.refusals import Refusal, Sink
from alembic_pgpatterns.fences.unix_sockets import Address

with contextlib.suppress(ImportError):  # Windows has neither, and no gate is put up there
    import fcntl
    import resource

# sizeof(struct sockaddr_storage).
_LONGEST_ADDRESS = 128
_FORWARDED = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)  # Windows has only the first; this module can be imported there
)


def stand(allowed: Allowed, sink: Sink) -> bool:
    """Put up the gate. It returns in a new process, a child of the one that called it.

    Call it first of all, before threads are started. Returns whether it holds; where it does not, in the same process.
    """
    if not seccomp.available():
        return False
    parent_end, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    parent = os.getpid()
    child = os.fork()
    if child:
        child_end.close()
        _keep(child, parent_end, allowed, sink)
    parent_end.close()
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before the call above: then no signal will come (PR_SET_PDEATHSIG(2const)).
    if os.getppid() != parent:
        os._exit(1)
    listener = seccomp.ask_about_connections()
    with child_end:
        if listener is None:
            # Another filter of this process already has a listener, and a process can have only one.
            child_end.sendall(b"-")
            return False
        socket.send_fds(child_end, [b"+"], [listener])
        os.close(listener)
        # Until then nobody answers: a connect() would wait for ever.
        child_end.recv(1)
    return True


def _keep(child: int, channel: socket.socket, allowed: Allowed, sink: Sink) -> NoReturn:
    """Serve the gate until the child ends, then end in the same way."""
    code = 1
    try:
        # Processes that outlive the child also stay descendants of this process, and so readable.
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        _forward_signals(child)
        answer, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        listener = descriptors[0] if answer == b"+" and descriptors else None
        _close_all_but(*(item for item in (listener, sink.descriptor, channel.fileno()) if item is not None))
        channel.sendall(b".")
        channel.close()
        code = _serve(child, listener, allowed, sink)
    except BaseException as error:
        sink.tell(Refusal(f"everything (the gatekeeper failed: {error!r})"))
        os.kill(child, signal.SIGKILL)
    finally:
        _end_as(code)


def _forward_signals(child: int) -> None:
    def forward(number: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    # A terminal sends it to the whole group, including the child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _close_all_but(*descriptors: int) -> None:
    """Close the child's pipes here, so that they end when the child ends."""
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20)
    start = 3
    for descriptor in (*sorted(item for item in descriptors if item > 2), limit):
        os.closerange(start, descriptor)
        start = descriptor + 1


def _serve(child: int, listener: int | None, allowed: Allowed, sink: Sink) -> int:
    """Answer until the child ends. Returns its status."""
    # A SIGCHLD between the look at the child and poll() would be lost. Python writes each signal into this pipe, and
    # poll() then returns at once.
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if listener is not None:
        poll.register(listener, select.POLLIN)
    while True:
        status = _status(child)
        if status is not None:
            return status
        for descriptor, event in poll.poll(1000):
            if descriptor == reader:
                os.read(reader, 4096)
            elif event & select.POLLIN:
                _answer(descriptor, child, allowed, sink)
            else:
                poll.unregister(descriptor)


def _status(child: int) -> int | None:
    """How the child ended; None while it runs. Also reaps orphans of other processes."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1 << 8
        if pid == child:
            return status
        if pid == 0:
            return None


def _answer(listener: int, child: int, allowed: Allowed, sink: Sink) -> None:
    # Zeros: the kernel refuses a structure with anything else in it (seccomp_unotify(2)).
    request = bytearray(seccomp.NOTIFICATION)
    try:
        fcntl.ioctl(listener, seccomp.RECEIVE, request, True)
    except OSError:
        return  # it was interrupted, or the asking process ended
    identifier, pid = struct.unpack_from("QI", request)
    number = struct.unpack_from("i", request, 16)[0]
    arguments = struct.unpack_from("6Q", request, 32)
    refusal = _decide(pid, number, arguments, child, allowed)
    answer = seccomp.let_pass(identifier)
    if refusal is not None:
        answer = seccomp.returned(identifier, error=errno.ECONNREFUSED)
        if refusal.attempt:
            sink.tell(refusal)
    with contextlib.suppress(OSError):  # who asked has ended
        fcntl.ioctl(listener, seccomp.SEND, answer)


def _decide(pid: int, number: int, arguments: tuple[int, ...], child: int, allowed: Allowed) -> Refusal | None:
    """Why it is refused; None if it is allowed. A refusal with an empty reason is not reported."""
    machine = syscalls.architecture()
    sends = machine is not None and number == machine.sendto
    where, length = (arguments[4], arguments[5]) if sends else (arguments[1], arguments[2])
    try:
        family, address = _read_address(pid, where, min(length & 0xFFFFFFFF, _LONGEST_ADDRESS))
    except OSError as error:
        return Refusal(f"a connection to an address that could not be read ({error.strerror})", process=_name(pid))
    if family == socket.AF_UNSPEC and not sends:
        return None  # it dissolves a connection
    is_udp = family != socket.AF_UNIX and _socket_type(pid, arguments[0]) == socket.SOCK_DGRAM
    if allowed.permits(family, address, is_udp) or listeners.belongs(child, family, address):
        return None
    if is_udp:
        # Mostly getaddrinfo(), which finds out in this way which of several addresses the machine could reach.
        return Refusal("")
    process = "" if _group(pid) == child else _name(pid)
    return Refusal(f"a connection to {describe(family, address)}", process=process)


def _read_address(pid: int, where: int, length: int) -> tuple[int, Address]:
    # The filter gets the pointer only; the address is in the memory of the process.
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(where)
        raw = memory.read(length)
    if len(raw) < 2:
        raise OSError(errno.EFAULT, "it is too short")
    family = struct.unpack_from("H", raw)[0]
    if family == socket.AF_UNIX:
        path = raw[2:]
        return family, os.fsdecode(path if path[:1] == b"\0" else _absolute(pid, path.split(b"\0")[0]))
    if family == socket.AF_INET and len(raw) >= 8:
        return family, (socket.inet_ntop(family, raw[4:8]), struct.unpack_from("!H", raw, 2)[0])
    if family == socket.AF_INET6 and len(raw) >= 24:
        return _unmapped(socket.inet_ntop(family, raw[8:24]), struct.unpack_from("!H", raw, 2)[0])
    return family, ("", 0)


def _absolute(pid: int, path: bytes) -> bytes:
    """A path as that process means it: it may have another working folder than this one, or another root.

    Raises:
        OSError: it has other mounts, so that this process cannot look at the same file.
    """
    if os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
        raise OSError(errno.EXDEV, "the process has mounts of its own")
    if not path:
        return path
    root = os.fsencode(os.readlink(f"/proc/{pid}/root"))
    # The working folder is printed as this process sees it, with the other root in front of it.
    return root.rstrip(b"/") + path if path.startswith(b"/") else os.path.join(_folder(pid), path)


def _folder(pid: int) -> bytes:
    return os.fsencode(os.readlink(f"/proc/{pid}/cwd"))


def _unmapped(host: str, port: int) -> tuple[int, Address]:
    """An IPv4 address that is written as an IPv6 one is an IPv4 address."""
    if host.startswith("::ffff:") and "." in host:
        return socket.AF_INET, (host[7:], port)
    return socket.AF_INET6, (host, port)


def _socket_type(pid: int, descriptor: int) -> int:
    """SOCK_STREAM, SOCK_DGRAM …; 0 if it is not known, which counts as the stricter one."""
    try:
        # pidfd_open() takes a process, and the kernel names the thread that called.
        process = syscalls.call(syscalls.PIDFD_OPEN, _group(pid), 0)
        try:
            copy = syscalls.call(syscalls.PIDFD_GETFD, process, descriptor, 0)
        finally:
            os.close(process)
    except OSError:
        return 0
    with socket.socket(fileno=copy) as same:
        return same.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)


def _group(pid: int) -> int:
    """The process that a thread belongs to."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("Tgid:")), pid)
    except (OSError, ValueError):
        return pid


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return f"the program {comm.read().strip()}"
    except OSError:
        return "a program"


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        # The child may have left a core file. One of this process would help nobody.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


__all__ = ["stand"]
