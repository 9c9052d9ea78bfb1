"""A program with a pipe from the process that started it. It cleans up if that process is killed.

Each line of the pipe names a process group that was started (``group 123``), or is ``done`` at an orderly end. The pipe
also ends when the process ends. Nothing that the server's account could have changed is trusted: no file in its folder.
It uses only the standard library, since it must work while the environment is being removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_SECONDS = 2.0
MARK = "PGPATTERNS_SERVER"
"""The variable that names its folder in the environment of the server, and so of the programs that it starts."""
_SHARED = "/dev/shm/PostgreSQL."
"""PostgreSQL's POSIX shared memory, which initdb's server uses: it stays after its processes were killed."""


def main(folder: str) -> None:
    """Wait for the end of the pipe. If it ends without ``done``, stop what runs and remove the folder."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    groups = []
    for line in sys.stdin:
        words = line.split()
        if words == ["done"]:
            return
        groups.append(int(words[1]))
    for _ in range(2):
        for group in groups:
            stop(group, folder)
        end_programs(folder)
        free_abandoned(folder)
        shutil.rmtree(folder, ignore_errors=True)
        # A process that was just starting may have written a little more.
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)


def stop(group: int, folder: str) -> None:
    """End a process group, and free the shared memory that it would leave.

    Its first process may have ended already: initdb does not wait for the server that it started.
    """
    members = {pid for pid in of_group(group) if _belongs(pid, folder)}
    if not members and not was_started_for(group, folder):
        return
    shared = {name for pid in members for name in shared_memory(pid)}
    with contextlib.suppress(ProcessLookupError):
        os.kill(group, signal.SIGQUIT)
    deadline = time.monotonic() + _SECONDS
    while was_started_for(group, folder) and time.monotonic() < deadline:
        members.update(of_group(group))
        shared.update(name for pid in members for name in shared_memory(pid))
        time.sleep(0.02)
    members.update(of_group(group))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while any(of_group(group)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for name in shared:
        with contextlib.suppress(OSError):
            Path(name).unlink()
    # Only now: a server that is just starting makes it at any moment, and a signal may end it before it can free it.
    for segment in system_v_segments([group, *members]):
        release(segment)


def end_programs(folder: str) -> None:
    """Kill the programs that the server has started (COPY … TO PROGRAM): it does not wait for those in the background.

    Each backend is a session of its own, so they are in no group of ours. They are recognised by their environment, or
    by their working folder if they have cleared it.
    """
    mark = os.fsencode(f"{MARK}={folder}/")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended, or belongs to another account
            pid = int(entry.name)
            if _belongs(pid, folder) or mark in (entry / "environ").read_bytes():
                os.kill(pid, signal.SIGKILL)


def _belongs(pid: int, folder: str) -> bool:
    """Whether a process works in the folder; the server that initdb starts does not name it among its arguments."""
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/cwd").readlink()).startswith(folder)
    return False


def was_started_for(pid: int, folder: str) -> bool:
    """Whether that process was started for this folder: its id may belong to another process by now."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        if Path("/proc/self").exists():
            return False
        command = ["ps", "-o", "args=", "-p", str(pid)]
        arguments = subprocess.run(command, capture_output=True, check=False).stdout
    return os.fsencode(folder) in arguments


def of_group(group: int) -> Iterator[int]:
    """The processes of a group, without those that have ended and that nobody has waited for."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, process_group = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:3]
            if int(process_group) == group and state != b"Z":
                yield int(entry.name)


def shared_memory(pid: int) -> Iterator[str]:
    """The files of POSIX shared memory that a process has open."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
            name = line.rpartition(" ")[2]
            if name.startswith(_SHARED):
                yield name


def system_v_segments(pids: list[int]) -> list[int]:
    """The ids of System V shared memory that these processes created. Linux only."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
        return [int(row[1]) for row in rows if int(row[4]) in pids]
    return []


def free_abandoned(folder: str) -> None:
    """Free the shared memory of processes that started and were killed between two looks, such as initdb's helpers.

    It was made by an account of the folder in the last minute; its creator has ended, and no process uses it.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        owners = {place.stat().st_uid for place in (Path(folder), *Path(folder).iterdir())}
        rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
        for _, segment, _, size, creator, _, users, owner, *rest in rows:
            is_recent = time.time() - int(rest[5]) < _RECENT
            is_unused = users == "0" and creator != "0" and not Path(f"/proc/{creator}").exists()
            if size == _SIZE and int(owner) in owners and is_recent and is_unused:
                release(int(segment))


_SIZE = "56"
"""PGShmemHeader, of which PostgreSQL makes one per server (PostgreSQL source, sysv_shmem.c)."""
_RECENT = 60


def release(segment: int) -> None:
    """Free System V shared memory."""
    import ctypes

    ctypes.CDLL(None).shmctl(segment, 0, None)  # IPC_RMID is 0 on Linux and macOS


if __name__ == "__main__":
    main(sys.argv[1])
