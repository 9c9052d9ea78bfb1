"""PostgreSQL's own programs: run as the right account, with a fixed environment, and unable to connect anywhere."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from alembic_pgpatterns.fences import landlock, seccomp
from alembic_pgpatterns.server import watchdog
from alembic_pgpatterns.server.account import Account

NOWHERE = "255.255.255.255"
"""An address to which no connection is possible: the system refuses it at once (ENETUNREACH, EACCES)."""

_STATISTICS_BY_UDP = 150000
"""Before PostgreSQL 15 the server connects to itself by UDP, for its statistics."""


def environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: no secret, no libpq variable of the user's, messages in English.

    dblink, postgres_fdw and subscriptions use libpq inside the server. There PGHOSTADDR has priority over every host,
    also over Unix sockets; only the parameter ``hostaddr`` has priority over PGHOSTADDR.
    """
    names = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    # For libpq hostaddr has priority over host, so a connection string that names only a host leads nowhere too.
    return inherited | {"LC_ALL": "C", "TZ": "UTC", "PGHOSTADDR": NOWHERE}


def start(
    command: list[str],
    account: Account,
    version: int,
    cwd: Path,
    output: IO[bytes] | int = subprocess.DEVNULL,
    between: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start one of PostgreSQL's programs, in a session of its own.

    Args:
        command: the program and its arguments.
        account: to run it as.
        version: ``server_version_num`` of the program.
        cwd: its working folder; the account must be able to enter it.
        output: where its output goes.
        between: called between fork() and exec(), in the new process, as the account.

    Raises:
        OSError: it cannot be started.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=cwd,
        env=environment() | {watchdog.MARK: f"{cwd}/"},
        # Ctrl-C in a terminal goes to the whole process group. The server must live until the clean-up has stopped it.
        start_new_session=True,
        preexec_fn=lambda: _prepare(version, between),
        **account.switch(),
    )


def is_fenced(version: int) -> bool:
    """Whether the kernel stops a server of this version from connecting, at least by TCP."""
    return (version >= _STATISTICS_BY_UDP and seccomp.available()) or landlock.abi() >= landlock.NETWORK


def fence(version: int = _STATISTICS_BY_UDP) -> None:
    """From now on this process connects nowhere. If the kernel lacks one fence, the other must do.

    Args:
        version: ``server_version_num`` of the server that it becomes; not given for PostgreSQL's other programs.
    """
    with contextlib.suppress(OSError):
        landlock.restrict()
    if version >= _STATISTICS_BY_UDP:
        seccomp.refuse_connections()


def _prepare(version: int, between: Callable[[], None] | None) -> None:
    if between is not None:
        between()
    fence(version)


def run_quietly(command: list[Any], account: Account, cwd: Path) -> str:
    """Run a program of the system as the account. Returns its message if it failed, else "". Raises OSError."""
    answer = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        **account.switch(),
    )
    if not answer.returncode:
        return ""
    return answer.stderr.strip() or f"{Path(command[0]).name} ended with {answer.returncode}"
