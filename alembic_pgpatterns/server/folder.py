"""The folder of one run: made, locked, watched, and always gone afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.account import Account, run_root, run_roots

PREFIX = "pgpatterns-"
_LOCK = "owner.lock"
_SOCKET_NAME = len(f"{PREFIX}12345678/.s.PGSQL.65535")
_GRACE = 60.0
"""Seconds that a folder without a lock may be old: its owner may just be about to lock it."""

_WATCHDOG = r"""
trap '' INT TERM HUP QUIT
read -r answer
[ "$answer" = done ] && exit 0
folder=$1
ours() {
    { cat "/proc/$1/cmdline" 2>/dev/null || ps -o args= -p "$1" 2>/dev/null; } | grep -q -F "$folder"
}
stop() {
    pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null)
    case $pid in ''|*[!0-9]*) return;; esac
    ours "$pid" || return
    kill -QUIT "$pid" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        ours "$pid" || return
        sleep 0.1 2>/dev/null || sleep 1
    done
    kill -KILL "$pid" 2>/dev/null
}
# Only a server that was killed leaves its pid file, and with it the few bytes of memory that it names.
forget() {
    memory=$(sed -n 7p "$folder/data/postmaster.pid" 2>/dev/null)
    [ -z "$memory" ] || ipcrm -m "${memory##* }" 2>/dev/null
}
stop
forget
rm -rf "$folder"
# A server that was only just starting had no pid file yet, and may have written a little more.
sleep 0.2 2>/dev/null || sleep 1
stop
rm -rf "$folder"
"""


@contextlib.contextmanager
def run_folder(account: Account, on_disk: bool = False) -> Iterator[Path]:
    """A folder for one run, of mode 0700 and the account's own; removed at the end, come what may.

    A lock file in it, held until this process ends in whatever way, tells `sweep` that the run lives. A shell
    that waits at the other end of a pipe stops the server and removes the folder when this process is killed.
    """
    root = run_root(account, _SOCKET_NAME, on_disk)
    folder, lock = _make(root, account)
    watchdog = _watch(folder)
    owner = os.getpid()
    try:
        yield folder
    finally:
        # A forked child that leaves through here must not take away its parent's server.
        if os.getpid() == owner:
            remove(folder)
            _dismiss(watchdog, b"" if folder.exists() else b"done\n")
        os.close(lock)


def sweep() -> None:
    """Remove what runs of this user left behind whose process and whose watchdog were both killed.

    A run that lives holds its lock, so no process id is trusted: they are used again.
    """
    for root in run_roots():
        folders: list[Path] = []
        with contextlib.suppress(OSError):
            folders += root.glob(f"{PREFIX}????????")
        for folder in folders:
            # Another user's, or one that goes away just now: the others are still to be swept.
            with contextlib.suppress(OSError):
                _sweep_one(folder)


def remove(folder: Path) -> None:
    """Remove a folder; a server that is just ending may still write into it, hence more than one try."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        _release_memory((folder / "data" / "postmaster.pid").read_text().splitlines()[6])
    for pause in (0.0, 0.05, 0.2, 1.0):
        time.sleep(pause)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _release_memory(key_and_id: str) -> None:
    """Give back the System V segment (56 bytes) of a server that was killed: one that ends by itself does so."""
    key, number = (int(word) for word in key_and_id.split())
    libc = ctypes.CDLL(None)
    if libc.shmget(key, 0, 0) == number:  # still the one that the file means
        libc.shmctl(number, 0, None)  # IPC_RMID is 0 on Linux and macOS


def _make(root: Path, account: Account) -> tuple[Path, int]:
    try:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
            lock = _lock(folder / _LOCK, os.O_CREAT)
            if lock is not None:
                os.chown(folder, account.uid, account.gid)
                return folder, lock
            remove(folder)  # a sweep took the lock between our making it and taking it
    except OSError as error:
        raise PgPatternsError(
            f"no folder for the throw-away PostgreSQL could be made in {root} for {account.name!r}: {error}\n"
            "Way out: point TMPDIR at a folder with space that this user can write."
        ) from error


def _lock(path: Path, flags: int = 0) -> int | None:
    """Take the lock; None when somebody holds it, or when the file was swept away meanwhile."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    os.close(handle)
    return None


def _watch(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG, "alembic-pgpatterns-watchdog", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={"PATH": os.pathsep.join((os.environ.get("PATH", ""), os.defpath)), "LC_ALL": "C"},
    )


def _dismiss(watchdog: subprocess.Popen[bytes], word: bytes) -> None:
    with contextlib.suppress(OSError):
        watchdog.communicate(word)


def _sweep_one(folder: Path) -> None:
    facts = folder.lstat()
    try:
        if (folder / _LOCK).lstat().st_uid != os.geteuid():
            return
        lock = _lock(folder / _LOCK)
    except FileNotFoundError:
        if facts.st_uid == os.geteuid() and time.time() - facts.st_mtime > _GRACE:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if lock is not None:
        with contextlib.suppress(OSError, ValueError):
            _stop_left_server(folder)
        remove(folder)
        os.close(lock)


def _stop_left_server(folder: Path) -> None:
    pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    if not _is_ours(pid, folder):
        return
    os.kill(pid, signal.SIGQUIT)
    deadline = time.monotonic() + 5
    while _is_ours(pid, folder):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


def _is_ours(pid: int, folder: Path) -> bool:
    """Whether that process was started on this folder: the number alone may be somebody else's by now."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        command = ["ps", "-o", "args=", "-p", str(pid)]
        arguments = subprocess.run(command, capture_output=True, check=False).stdout
    return os.fsencode(folder) in arguments
