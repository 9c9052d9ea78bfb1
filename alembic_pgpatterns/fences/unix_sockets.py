"""Who listens at a Unix socket: the file's name alone does not say, since it may be a link, or moved there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Union

Address = Union[str, tuple[Any, ...]]
"""An address of Python's sockets: a path, or a host and a port."""

_TABLE = "/proc/net/unix"
_ACCEPTS = 1 << 16
"""__SO_ACCEPTCON in the flags of that table (net/unix/af_unix.c): it listens."""
_UNCONNECTED = "01"
"""SS_UNCONNECTED: datagrams arrive there without a connection."""


def abstract(name: str) -> Iterator[str]:
    """The inodes of the sockets with an abstract name, which begins with a null character."""
    yield from (inode for bound, inode in _bound() if bound == f"@{name[1:]}")


def listening(path: str) -> Iterator[str]:
    """The inodes of the sockets that were bound to this file, and are still reached by it.

    Args:
        path: absolute. Links in it are followed, as the kernel does.
    """
    real = os.path.realpath(path)
    if not is_linked(real):
        yield from (inode for bound, inode in _bound() if _is_that(bound, real))


def is_bound(path: str) -> bool:
    """Whether somebody listens at that very name. True where nobody can know: not on Linux.

    Args:
        path: without links in it.
    """
    return not os.path.exists(_TABLE) or (any(_is_that(bound, path) for bound, _ in _bound()) and not is_linked(path))


def is_linked(path: str) -> bool:
    """Whether the file is a hard link to a socket that was bound to another name.

    Args:
        path: without symbolic links in it.
    """
    return any(not _is_that(bound, path) and _is_same(bound, path) for bound, _ in _bound() if bound.startswith("/"))


def _bound() -> Iterator[tuple[str, str]]:
    """The names of this machine's sockets (of the network namespace), and their inodes."""
    try:
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
            next(table, None)
            for line in table:
                # The path is the last field, and may contain spaces.
                parts = line.rstrip("\n").split(maxsplit=7)
                # Not the server's ends of connections, which have the listener's name, too.
                if len(parts) == 8 and (parts[5] == _UNCONNECTED or int(parts[3], 16) & _ACCEPTS):
                    yield parts[7], parts[6]
    except OSError:
        return


def _is_that(bound: str, real: str) -> bool:
    """Whether a socket's name is that path. The name itself may be a link by now; its folder may always have been."""
    folder, name = os.path.split(bound)
    if os.path.basename(real) != name:
        return False
    if not bound.startswith("/"):
        # bind() was called with a path relative to a folder that nobody knows.
        return real.endswith(f"/{os.path.normpath(bound)}")
    return os.path.join(os.path.realpath(folder), name) == real


def _is_same(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False
