"""Clusters, that is data folders: made by initdb once, kept in the user's cache, copied for every run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import platformdirs

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.account import Account
from alembic_pgpatterns.server.binaries import Binaries

SUPERUSER = "postgres"
_LAYOUT = 2
"""Part of the cache's key: raise it when what a fresh cluster contains changes."""

_MANIFEST = "pgpatterns.manifest"
_UNUSED_DAYS = 30
_HBA = """\
# The socket is in a folder that only its owner enters; TCP is off unless it was asked for.
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
"""


def fill(data: Path, binaries: Binaries, account: Account) -> bool:
    """Make ``data`` a fresh cluster of the account's; whether it came from the cache.

    A cached cluster that is damaged is thrown away and made anew. A cache that cannot be written costs the half
    second of initdb in each run and nothing else. Raises PgPatternsError when initdb fails.
    """
    cached = _cached(binaries, account)
    if cached is not None and is_whole(cached):
        with contextlib.suppress(OSError):
            os.utime(cached)
            copy(cached / "data", data, account)
            return True
    shutil.rmtree(data, ignore_errors=True)
    _initdb(data, binaries, account)
    slim(data, binaries, account)
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
    """Copy a stopped cluster, by reference where the file system can, keeping owners and modes.

    Raises OSError with what the copying program said.
    """
    said = "no program to copy with"
    for command in _copiers():
        shutil.rmtree(target, ignore_errors=True)
        answer = subprocess.run(
            [*command, source, target],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
        if answer.returncode == 0:
            own(target, account)
            return
        said = answer.stderr.strip() or f"cp ended with {answer.returncode}"
    raise OSError(said)


def copy_whole(kept: Path, target: Path, account: Account) -> None:
    """Copy the data of a kept cluster, all of it: another run may be throwing it away. Raises OSError."""
    copy(kept / "data", target, account)
    if not is_whole(kept, target):
        raise OSError(f"{kept} is not whole: it was damaged, or thrown away meanwhile")


def slim(data: Path, binaries: Binaries, account: Account) -> None:
    """Take away of a cluster that was stopped in order what copying it need not carry: about a third.

    Its WAL (`pg_resetwal`), and the free space and visibility maps, which PostgreSQL makes anew where they are
    missing. An installation without pg_resetwal keeps its WAL.
    """
    resetwal = binaries.directory / "pg_resetwal"
    if resetwal.exists():
        subprocess.run(
            [resetwal, "--pgdata", data],
            capture_output=True,
            check=False,
            cwd=data.parent,
            env=server_environment(),
            **account.switch(),
        )
    for pattern in ("*/*_fsm", "*/*_vm", "base/*/*_fsm", "base/*/*_vm"):
        for fork in data.glob(pattern):
            fork.unlink()


def cache_folder() -> Path:
    """The folder of all that we keep between runs, in the user's cache folder (XDG_CACHE_HOME is heeded).

    Root, with another user's HOME as under sudo, keeps it in root's own: what root leaves in a user's folder
    that user can no longer change.
    """
    folder = platformdirs.user_cache_path("alembic-pgpatterns", appauthor=False)
    if os.geteuid() == 0:
        own = Path(pwd.getpwuid(0).pw_dir)
        home = Path.home()
        if home != own and folder.is_relative_to(home):
            return own / folder.relative_to(home)
    return folder


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


def own(target: Path, account: Account) -> None:
    """Hand a copy to the account alone; `cp -a` kept the owner already unless the account has changed since."""
    if target.stat().st_uid != account.uid:
        for place in (target, *target.rglob("*")):
            os.chown(place, account.uid, account.gid, follow_symlinks=False)
    target.chmod(0o700)


def _arguments(binaries: Binaries) -> list[str]:
    arguments = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    arguments += ["--no-sync", "--no-instructions", "--wal-segsize=1"]
    if binaries.version >= 170000:
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if binaries.version >= 180000:
        arguments.append("--no-data-checksums")
    return arguments


def _initdb(data: Path, binaries: Binaries, account: Account) -> None:
    command = [str(binaries.initdb), f"--pgdata={data}", *_arguments(binaries)]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=data.parent,
            env=server_environment(),
            **account.switch(),
        )
        said = (answer.stderr.strip() or answer.stdout.strip()) if answer.returncode else ""
    except OSError as error:
        said = str(error)
    if not said:
        try:
            (data / "pg_hba.conf").write_text(_HBA)
            return
        except OSError as error:
            said = str(error)
    raise PgPatternsError(
        f"initdb of {binaries.source} ({binaries.directory}), run as {account.name!r}, failed:\n{said}\n{way_out(said)}"
    )


def server_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: nothing of ours, no PG variable, no secret, messages in English."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}


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
    return "\0".join(map(str, [*key, *_arguments(binaries), _HBA]))


def keep(data: Path, destination: Path, account: Account, notes: Mapping[str, str] | None = None) -> None:
    """Keep a copy of a stopped cluster as ``destination``/data, with files of text beside it.

    Under a temporary name first, so that nobody ever sees half a cluster; what is there already, whole, stays.
    Raises OSError.
    """
    workshop = Path(tempfile.mkdtemp(prefix="new-", dir=destination.parent))
    try:
        fresh = workshop / "fresh"
        fresh.mkdir(mode=0o700)
        copy(data, fresh / "data", account)
        for name, text in (notes or {}).items():
            (fresh / name).write_text(text, encoding="utf-8")
        (fresh / _MANIFEST).write_text(_census(fresh / "data"))
        if not is_whole(destination):
            with contextlib.suppress(FileNotFoundError):
                destination.rename(workshop / "damaged")
            fresh.rename(destination)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _census(data: Path) -> str:
    """Number and bytes of the files: finds whatever a full disk, a cleaning job or a person took away."""
    sizes = [entry.lstat().st_size for entry in data.rglob("*") if not entry.is_dir()]
    return f"{len(sizes)} files, {sum(sizes)} bytes\n"


def is_whole(cached: Path, copied: Path | None = None) -> bool:
    """Whether a kept cluster, or a copy of its data folder, has all its files, by their number and bytes."""
    try:
        return (cached / _MANIFEST).read_text() == _census(copied or cached / "data")
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
