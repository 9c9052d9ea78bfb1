"""The folder of one run: created, locked, watched, and always removed afterwards.

The folder itself belongs to us. `INNER` in it belongs to the account of PostgreSQL (for root another account):
its data and its socket, nothing else. The log and everything that we write are outside of `INNER`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server import files, memory, watchdog
from alembic_pgpatterns.server.account import Account

PREFIX = "pgpatterns-"
INNER = "pg"
_LETTERS = string.ascii_lowercase + string.digits
_LOCK = "owner.lock"
_STATUS = (INNER, "data", "postmaster.pid")
_SOCKET_NAME = len(f"{PREFIX}12345678/{INNER}/.s.PGSQL.65535")
_GRACE = 60.0
"""Seconds: a folder without a lock that is younger may belong to a run that is just about to lock it."""

_LONGEST_SOCKET = 103
"""Longest path of a socket in bytes: sockaddr_un holds 104 with the final zero on macOS, 108 on Linux."""


class RunFolder:
    """The folder of one run; made by `run_folder`."""

    def __init__(self, path: Path, watching: Watching) -> None:
        self.path = path
        self._watching = watching
        self._groups: list[int] = []

    @property
    def inner(self) -> Path:
        """The account's part: the data folder and the socket."""
        return self.path / INNER

    def started(self, group: int) -> None:
        """Report a process group to the watchdog: it must end with this run."""
        self._groups.append(group)
        self._watching.tell(f"group {group}")

    def stop_all(self) -> None:
        """End what still runs, such as initdb after an interrupt: without its folder it would leave memory behind."""
        for group in self._groups:
            watchdog.stop(group, str(self.path))
        watchdog.end_programs(str(self.path))
        watchdog.free_abandoned(str(self.path))


@contextlib.contextmanager
def run_folder(account: Account, on_disk: bool = False) -> Iterator[RunFolder]:
    """A folder for one run, which is removed at the end in any case.

    A lock file in it is held until this process ends. It tells `sweep` that the run is alive. If this process is
    killed, the watchdog (a program at the other end of a pipe) stops the server and removes the folder.

    Raises:
        PgPatternsError: no folder can be created.
    """
    root = run_root(account, _SOCKET_NAME, on_disk)
    path = root / f"{PREFIX}{''.join(secrets.choice(_LETTERS) for _ in range(8))}"
    # The watchdog first: whoever is killed right after he made the folder leaves it to nobody else.
    watching = Watching(path)
    try:
        lock = _make(path, account)
    except PgPatternsError:
        watching.end(orderly=not path.exists())
        raise
    owner = os.getpid()
    folder = RunFolder(path, watching)
    try:
        yield folder
    finally:
        # A forked child that leaves through here must not stop its parent's server.
        if os.getpid() == owner:
            folder.stop_all()
            remove(path)
            watching.end(orderly=not path.exists())
        os.close(lock)


def sweep() -> None:
    """Remove the folders of this user's runs whose process and watchdog were both killed.

    A live run holds its lock. Process ids are not used for this decision, because the system reuses them.
    """
    for root in run_roots():
        folders: list[Path] = []
        with contextlib.suppress(OSError):
            folders += root.glob(f"{PREFIX}????????")
        for folder in folders:
            # Another user's folder, or one that is being removed: go on with the others.
            with contextlib.suppress(OSError):
                _sweep_one(folder)


def remove(folder: Path) -> None:
    """Remove a folder. A server that is just ending may still write into it, so it is tried more than once.

    rmtree() works with descriptors and follows no link, so a link in the account's part does no harm.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Line 7 of the file has the key and the id of the shared memory (PostgreSQL source, miscadmin.h,
        # LOCK_FILE_LINE_…).
        _release_memory(files.read_text(folder, *_STATUS).splitlines()[6], (folder / INNER).lstat().st_uid)
    for pause in (0.0, 0.05, 0.2, 1.0):
        time.sleep(pause)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _release_memory(key_and_id: str, owner: int) -> None:
    """Free the System V shared memory (56 bytes) of a killed server. A server that ends normally frees it itself.

    The account could have changed the file that names the memory. So memory of any other account is left alone.
    """
    key, number = (int(word) for word in key_and_id.split())
    libc = ctypes.CDLL(None)
    if libc.shmget(key, 0, 0) == number and _segment_owner(number) in (owner, None):
        libc.shmctl(number, 0, None)  # IPC_RMID is 0 on Linux and macOS


def _segment_owner(number: int) -> int | None:
    """The user id; None if the system has no such list."""
    try:
        rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    except OSError:
        return None
    return next((int(row[7]) for row in rows if int(row[1]) == number), -1)


def _make(path: Path, account: Account) -> int:
    """Make the folder. Returns the descriptor that holds its lock."""
    try:
        while True:
            path.mkdir(mode=0o700)
            lock = _lock(path / _LOCK, os.O_CREAT)
            if lock is not None:
                _make_inner(path, account)
                return lock
            remove(path)  # a sweep took the lock before we could
    except OSError as error:
        raise PgPatternsError(
            f"no folder for the throw-away PostgreSQL could be created in {path.parent} for {account.name!r}: {error}\n"
            "Way out: point TMPDIR at a folder with space that this user can write."
        ) from error


def _make_inner(folder: Path, account: Account) -> None:
    inner = folder / INNER
    inner.mkdir(mode=0o700)
    if account.uid != os.geteuid():
        os.chown(inner, account.uid, account.gid)
        # The account may pass through the folder but not list it.
        folder.chmod(0o711)


def _lock(path: Path, flags: int = 0) -> int | None:
    """Take the lock; None if another process holds it, or has removed the file."""
    import fcntl  # only on Unix; elsewhere no server is started, but this module's names are needed

    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between open() and flock() another process may have removed the folder: then the lock is on a file without a
        # name.
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    os.close(handle)
    return None


class Watching:
    """The watchdog of a folder, which is a program of its own."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            # Isolated and without site-packages: it starts faster, and nothing of the project's environment runs in it.
            [sys.executable, "-I", "-S", watchdog.__file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.pathsep.join((os.environ.get("PATH", ""), os.defpath)), "LC_ALL": "C"},
        )

    def tell(self, line: str) -> None:
        """Send it a line."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def end(self, *, orderly: bool) -> None:
        """Let it end. If the end is not orderly, it cleans up first."""
        with contextlib.suppress(OSError):
            self._process.communicate(b"done\n" if orderly else b"")


def _sweep_one(folder: Path) -> None:
    facts = folder.lstat()
    if facts.st_uid != os.geteuid():
        return
    try:
        if (folder / _LOCK).lstat().st_uid != os.geteuid():
            return
        lock = _lock(folder / _LOCK)
    except FileNotFoundError:
        if time.time() - facts.st_mtime > _GRACE:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if lock is not None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            _stop_left_server(folder)
        remove(folder)
        os.close(lock)


def _stop_left_server(folder: Path) -> None:
    pid = int(files.read_text(folder, *_STATUS).splitlines()[0])
    if not watchdog.was_started_for(pid, str(folder)):
        return
    # Immediate shutdown (docs, "Shutting Down the Server"): the files are deleted anyway.
    os.kill(pid, signal.SIGQUIT)
    deadline = time.monotonic() + 5
    while watchdog.was_started_for(pid, str(folder)):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


def run_roots() -> tuple[Path, ...]:
    """Every folder that may hold the folder of a run: TMPDIR first, then the system's own, then memory."""
    places = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), memory.FOLDER)
    return tuple(dict.fromkeys(place.absolute() for place in places))


def run_root(account: Account, name_length: int, on_disk: bool = False) -> Path:
    """The folder for the folder of a run: memory if there is plenty, unless ``on_disk``; else the first usable one.

    A usable folder of `run_roots` can be written, ``account`` can enter it, and its path is short enough.

    ``name_length``: bytes that follow it in the path of the server's socket.
    Raises PgPatternsError that names each folder and what is wrong with it.
    """
    refused = []
    in_memory = None if on_disk else memory.memory_folder()
    places = [*([in_memory] if in_memory is not None else []), *run_roots()]
    for place in places:
        reason = next(_objections(place, account, name_length), None)
        if reason is None:
            return place
        refused.append(f"  {place}: {reason}")
    raise PgPatternsError(
        "no folder is usable for the throw-away PostgreSQL:\n" + "\n".join(refused) + "\n"
        "Way out: point TMPDIR at a folder with a short path that this user can write."
    )


def _objections(place: Path, account: Account, name_length: int) -> Iterator[str]:
    if not os.access(place, os.W_OK | os.X_OK):
        yield "it cannot be written"
    if not account.reaches(place):
        yield f"the account {account.name!r}, which PostgreSQL runs as, cannot enter it"
    if "," in str(place) or '"' in str(place):
        yield "PostgreSQL would read its path as a list, because it contains a comma"
    if len(os.fsencode(place)) + 1 + name_length > _LONGEST_SOCKET:
        yield "its path is too long for a socket's name"
