"""Files in a folder that another account may write: no symbolic link in it is ever followed.

If we run as root, the throw-away PostgreSQL runs as an unprivileged account. Programs of that account could put a link
where we expect a file, and root would write or read the link's target.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 1 << 20
"""Most bytes that are read of a file. The files that we read have only a few lines."""


@contextlib.contextmanager
def _opened(folder: Path, names: tuple[str, ...], last_flags: int) -> Iterator[int]:
    """A descriptor for a path below ``folder``, opened name by name. Raises OSError, also if a name is a link."""
    steps = [(str(folder), os.O_DIRECTORY), *((name, os.O_DIRECTORY) for name in names[:-1])]
    steps += [(names[-1], last_flags)] if names else []
    descriptor = -1
    try:
        for name, flags in steps:
            # O_NONBLOCK: opening a FIFO would otherwise wait forever.
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
    """The text of a regular file below ``folder``. Raises OSError, also for another kind of file."""
    with _opened(folder, names, 0) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{'/'.join(names)} in {folder} is not a regular file")
        return os.read(descriptor, _LONGEST).decode("utf-8", "replace")


def entries(folder: Path, *names: str) -> list[str]:
    """The names in a folder below ``folder``. Raises OSError."""
    with _opened(folder, names, os.O_DIRECTORY) as descriptor:
        return os.listdir(descriptor)  # noqa: PTH208 - of a descriptor, which a Path cannot be


def census(folder: Path, *names: str) -> tuple[int, int]:
    """Number and bytes of the files in a folder below ``folder``, including its subfolders. Raises OSError."""
    count, size = 0, 0
    with _opened(folder, names, os.O_DIRECTORY) as descriptor:
        for _, _, files, place in os.fwalk(".", dir_fd=descriptor, onerror=_raise):
            for name in files:
                count += 1
                size += os.stat(name, dir_fd=place, follow_symlinks=False).st_size
    return count, size


def _raise(error: OSError) -> None:
    raise error
