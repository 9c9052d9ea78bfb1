"""Files in a folder that another account may write: no symbolic link in there is ever followed.

Run as root, the throw-away PostgreSQL belongs to an unprivileged account. Whatever runs as that account may put a link
where we expect a file, and root would write or read what the link names.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 1 << 20
"""Bytes that are read of a file; those that we read have a few lines."""


@contextlib.contextmanager
def _opened(folder: Path, names: tuple[str, ...], last_flags: int) -> Iterator[int]:
    """A descriptor of what is below ``folder``, opened name by name. Raises OSError, also for a link on the way."""
    steps = [(str(folder), os.O_DIRECTORY), *((name, os.O_DIRECTORY) for name in names[:-1])]
    steps += [(names[-1], last_flags)] if names else []
    descriptor = -1
    try:
        for name, flags in steps:
            # O_NONBLOCK: a FIFO in its place would make us wait for ever.
            mode = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags
            following = os.open(name, mode, dir_fd=descriptor if descriptor >= 0 else None)
            if descriptor >= 0:
                os.close(descriptor)
            descriptor = following
        yield descriptor
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def read_text(folder: Path, *names: str) -> str:
    """The text of a regular file below ``folder``. Raises OSError, also where it is another kind of file."""
    with _opened(folder, names, 0) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{'/'.join(names)} in {folder} is no regular file")
        return os.read(descriptor, _LONGEST).decode("utf-8", "replace")


def entries(folder: Path, *names: str) -> list[str]:
    """The names in a folder below ``folder``. Raises OSError."""
    with _opened(folder, names, os.O_DIRECTORY) as descriptor:
        return os.listdir(descriptor)  # noqa: PTH208 - of a descriptor, which a Path cannot be


def census(folder: Path, *names: str) -> tuple[int, int]:
    """Number and bytes of the files in a folder below ``folder``, and in its own folders. Raises OSError."""
    count, size = 0, 0
    with _opened(folder, names, os.O_DIRECTORY) as descriptor:
        for _, _, files, place in os.fwalk(".", dir_fd=descriptor, onerror=_raise):
            for name in files:
                count += 1
                size += os.stat(name, dir_fd=place, follow_symlinks=False).st_size
    return count, size


def _raise(error: OSError) -> None:
    raise error
