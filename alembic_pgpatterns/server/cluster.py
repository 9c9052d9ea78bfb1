"""Clusters, that is data folders: made by initdb once, kept in the user's cache, copied for every run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import platformdirs

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import seccomp
from alembic_pgpatterns.server import files, nameless, process
from alembic_pgpatterns.server.account import Account
from alembic_pgpatterns.server.binaries import Binaries
from alembic_pgpatterns.server.folder import RunFolder
from alembic_pgpatterns.server.process import run_quietly

SUPERUSER = "postgres"
_LAYOUT = 3
"""Part of the cache's key: raise it when what a fresh cluster contains changes."""

_MANIFEST = "pgpatterns.manifest"
_UNUSED_DAYS = 30
HBA = """\
# The socket is in a folder that only its owner enters; TCP is off unless it was asked for.
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
"""


def fill(folder: RunFolder, binaries: Binaries, account: Account) -> bool:
    """Make a fresh cluster of the account's in the folder of a run; whether it came from the cache.

    A cached cluster that is damaged is thrown away and made again. A cache that cannot be written costs the half
    second of initdb in each run and nothing else. Raises PgPatternsError when initdb fails.
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
        with contextlib.suppress(OSError):  # the cache only saves time; where it is full or read-only, so be it
            keep(data, cached, account)
    return False


def forget(binaries: Binaries, account: Account) -> None:
    """Throw away the cached cluster of these binaries."""
    cached = _cached(binaries, account)
    if cached is not None:
        shutil.rmtree(cached, ignore_errors=True)


def copy(source: Path, target: Path, account: Account) -> None:
    """Copy a stopped cluster from the cache, by reference where the file system can.

    The account copies, and it is where the source is: the folders above that are closed to it. Raises OSError with
    what the copying program said.
    """
    said = "no program to copy with"
    for command in _copiers():
        shutil.rmtree(target, ignore_errors=True)
        said = run_quietly([*command, ".", target], account, source)
        if not said:
            return
    raise OSError(said)


def _copy_back(source: Path, target: Path, account: Account) -> None:
    """Copy a stopped cluster into the cache; the account copies, and it is where the target is. Raises OSError."""
    said = "no program to copy with"
    for command in _copiers():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        if account.uid != os.geteuid():
            os.chown(target, account.uid, account.gid)
        said = run_quietly([*command, f"{source}/.", "."], account, target)
        if not said:
            return
    raise OSError(said)


def copy_whole(kept: Path, target: Path, account: Account) -> None:
    """Copy the data of a kept cluster, all of it: another run may be throwing it away. Raises OSError."""
    copy(kept / "data", target, account)
    if not is_whole(kept, target.parent):
        raise OSError(f"{kept} is not whole: it was damaged, or thrown away meanwhile")


def slim(folder: RunFolder, binaries: Binaries, account: Account) -> None:
    """Take away of a cluster that was stopped in order what copying it need not carry: about a third.

    Its WAL (`pg_resetwal`), and the free space and visibility maps, which PostgreSQL makes again where they are
    missing. An installation without pg_resetwal keeps its WAL. Raises OSError.
    """
    data = folder.inner / "data"
    resetwal = binaries.directory / "pg_resetwal"
    if resetwal.exists():
        process.start([str(resetwal), "--pgdata", str(data)], account, binaries.version, folder.inner).wait()
    forks = ["(", "-name", "*_fsm", "-o", "-name", "*_vm", ")"]
    run_quietly(["find", data / "global", data / "base", *forks, "-exec", "rm", "-f", "{}", "+"], account, Path("/"))


def cache_folder() -> Path:
    """The folder of all that we keep between runs, in the user's cache folder (XDG_CACHE_HOME is heeded).

    Root, with another user's HOME as under sudo, keeps it in root's own: what root leaves in a user's folder
    that user can no longer change. Raises OSError or RuntimeError where there is none.
    """
    folder = platformdirs.user_cache_path("alembic-pgpatterns", appauthor=False)
    if os.geteuid() == 0:
        ours = Path(pwd.getpwuid(0).pw_dir)
        home = Path.home()
        if home != ours and folder.is_relative_to(home):
            folder = ours / folder.relative_to(home)
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    # What exists and is another user's is left alone; below it root makes nothing either.
    if nearest.stat().st_uid != os.geteuid() and (
        nearest == folder or (os.geteuid() == 0 and not _is_for_all(nearest))
    ):
        raise PermissionError(f"the cache folder {nearest} belongs to another user")
    return folder


def _is_for_all(folder: Path) -> bool:
    """Whether everybody may make folders there, and nobody can take away another's, as in /tmp."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def way_out(said: str) -> str:
    """What to do about a failure, judged by what the system or PostgreSQL said."""
    lowered = said.lower()
    if "no space left" in lowered or "disk quota" in lowered or "file too large" in lowered:
        return "The disk is full: free some space, or point TMPDIR (and XDG_CACHE_HOME) at a folder that has some."
    if "shared memory" in lowered or "semaphores" in lowered:
        return "The system gave it no shared memory: give the container more, or use --server URL."
    return "Way out: name a running server by --server URL or PGPATTERNS_SERVER."


def _copiers() -> list[list[str]]:
    by_reference = ["cp", "-c", "-a"] if sys.platform == "darwin" else ["cp", "-a", "--reflink=auto"]
    return [by_reference, ["cp", "-a"]]


def _arguments(binaries: Binaries) -> list[str]:
    arguments = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    arguments += ["--no-sync", "--no-instructions", "--wal-segsize=1"]
    if binaries.version >= 160000:
        # Its own server would use POSIX shared memory, which stays in /dev/shm when that server is killed.
        arguments += ["--set", "dynamic_shared_memory_type=mmap"]
    if binaries.version >= 170000:
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
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
            named = nameless.has_name(account.uid) or not seccomp.available()
            code = start().wait() if named else nameless.run(start, account.uid)
            output.seek(0)
            said = output.read().decode("utf-8", "replace").strip() if code else ""
        except OSError as error:
            said = str(error)
    if said:
        raise PgPatternsError(
            f"initdb of {binaries.source} ({binaries.directory}), run as {account.name!r}, failed:\n{said}\n"
            f"{_way_out_of_initdb(said, account)}"
        )


def _way_out_of_initdb(said: str, account: Account) -> str:
    if nameless.has_name(account.uid):
        return way_out(said)
    return (
        f"initdb needs a name for the user id {account.uid}, and this machine has none. Way out: add this line to "
        f"/etc/passwd: {nameless.line_to_add(account.uid)}"
    )


def _cached(binaries: Binaries, account: Account) -> Path | None:
    """Where the cluster of these binaries is kept; None where no cache folder can be had."""
    try:
        key = identity(binaries, account)
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return folder / f"cluster-{binaries.version}-{digest}"


def identity(binaries: Binaries, account: Account) -> str:
    """All that decides whether a cluster can be used by these binaries. Raises OSError."""
    facts = binaries.postgres.stat()
    # Not the programs' folder: the same wheel in another environment makes the same cluster. Should two builds
    # of one version and size ever differ, the server refuses the other's cluster, and it is made anew.
    key = [_LAYOUT, binaries.version, facts.st_size, os.uname().machine, os.geteuid(), account.uid]
    return "\0".join(map(str, [*key, *_arguments(binaries), HBA]))


def keep(data: Path, destination: Path, account: Account, notes: Mapping[str, str] | None = None) -> None:
    """Keep a copy of a stopped cluster as ``destination``/data, with files of text beside it.

    Under a temporary name first, so that nobody ever sees half a cluster; what is there already, whole, stays.
    Raises OSError.
    """
    workshop = Path(tempfile.mkdtemp(prefix="new-", dir=destination.parent))
    try:
        fresh = workshop / "fresh"
        fresh.mkdir(mode=0o700)
        _copy_back(data, fresh / "data", account)
        for name, text in (notes or {}).items():
            (fresh / name).write_text(text, encoding="utf-8")
        (fresh / _MANIFEST).write_text(_census(fresh))
        if not is_whole(destination):
            with contextlib.suppress(FileNotFoundError):
                destination.rename(workshop / "damaged")
            fresh.rename(destination)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _census(parent: Path) -> str:
    """Number and bytes of the files in ``parent``/data: finds what a full disk, a cleaning job or a person took."""
    count, size = files.census(parent, "data")
    return f"{count} files, {size} bytes\n"


def is_whole(kept: Path, copied: Path | None = None) -> bool:
    """Whether a kept cluster, or a copy of its data folder in ``copied``, has all its files, by number and bytes."""
    try:
        return (kept / _MANIFEST).read_text() == _census(copied or kept)
    except OSError:
        return False


def _prune(folder: Path) -> None:
    """Remove clusters that nobody used for a month, and halves that a killed run left behind."""
    for entry in (*unused(folder.glob("cluster-*")), *unused(folder.glob("new-*"), days=1)):
        shutil.rmtree(entry, ignore_errors=True)


def unused(entries: Iterable[Path], *, kept: int | None = None, days: int = _UNUSED_DAYS) -> list[Path]:
    """What of a cache has to go: what was not used for so many days, and all but the ``kept`` that were used last."""
    ages: list[tuple[float, Path]] = []
    for entry in entries:
        with contextlib.suppress(OSError):  # another run has removed it
            ages.append((time.time() - entry.stat().st_mtime, entry))
    ages.sort()
    last = len(ages) if kept is None else kept
    return [entry for number, (age, entry) in enumerate(ages) if number >= last or age > days * 86400]
