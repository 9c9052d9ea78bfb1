"""PostgreSQL refuses to run as root: which account it runs as instead, and what that account can reach."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server import memory

_PREFERRED = ("postgres", "nobody")
_LONGEST_SOCKET = 103
"""Longest path of a socket in bytes: sockaddr_un holds 104 with the final zero on macOS, 108 on Linux."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that the server runs as."""

    uid: int
    gid: int
    name: str

    def switch(self) -> dict[str, Any]:
        """The arguments of ``Popen`` that start a program as this account; none if it is the current account."""
        if self.uid == os.geteuid():
            return {}
        # Without extra_groups the program would keep root's other groups, such as disk.
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Whether the permission bits let the account use ``path`` (read a file, enter a folder)."""
        path = path.resolve()
        return all(self._may(place, stat.S_IXOTH) for place in path.parents) and (
            self._may(path, stat.S_IXOTH if path.is_dir() else stat.S_IROTH)
        )

    def _may(self, path: Path, bit: int) -> bool:
        try:
            facts = path.stat()
        except OSError:
            return False
        if facts.st_uid == self.uid:
            bit <<= 6
        elif facts.st_gid == self.gid:
            bit <<= 3
        return bool(facts.st_mode & bit)


def server_account() -> Account:
    """The current account; for root ``postgres``, or ``nobody``, or the first account that is not root.

    Raises PgPatternsError if there is no such account.
    """
    uid = os.geteuid()
    if uid:
        return Account(uid, os.getegid(), str(uid))
    import pwd  # only on Unix; other systems get here never, since their checks need --server

    for name in _PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    for entry in pwd.getpwall():
        if entry.pw_uid:
            return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise PgPatternsError(
        "PostgreSQL does not run as root, and this machine has no other account. "
        "Way out: run as another user, or name a running server by --server URL or PGPATTERNS_SERVER."
    )


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
