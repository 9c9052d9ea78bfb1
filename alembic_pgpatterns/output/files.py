"""Files written whole: after a failure or a signal there is the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO, TextIO

NEW_MODE = 0o666
"""Of a new file, before the user's umask; of an existing one the mode is kept."""


def real(path: Path) -> Path:
    """The file that a path leads to, through symbolic links: that one is written, and the link stays a link.

    Raises:
        OSError: it is there and is not a regular file, or the links go in a circle.
    """
    target = Path(os.path.realpath(path, strict=False))
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.stat().st_mode):
            raise OSError(f"{path} is not a regular file")
    return target


def read_regular(path: Path) -> bytes:
    """What a file holds; a pipe that nobody writes to is an error, and no endless wait (`demand_regular`).

    Raises:
        OSError: it cannot be read.
    """
    demand_regular(path)
    return path.read_bytes()


def read_text(path: Path, errors: str = "strict") -> str:
    """The same as text, in UTF-8.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    demand_regular(path)
    return path.read_text("utf-8", errors)


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read its bytes. Raises as `read_regular`."""
    demand_regular(path)
    return path.open("rb")


def open_text(path: Path, errors: str = "strict", newline: str | None = None) -> TextIO:
    """Open a file to read its text, in UTF-8. Raises as `read_regular`."""
    demand_regular(path)
    return path.open(encoding="utf-8", errors=errors, newline=newline)


def demand_regular(path: Path) -> None:
    """Raise OSError for what is no file: a pipe waits for somebody who writes, and a device may never end.

    What the shell hands down as a descriptor may be read: ``--stats <(psql …)``. So may the empty device.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or str(path) == os.devnull or str(path).startswith(_DESCRIPTORS):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "special file")
    raise OSError(errno.EINVAL, f"this is a {kind}, not a regular file", str(path))


_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_KINDS = (
    (stat.S_ISFIFO, "pipe (FIFO)"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file in one step.

    Args:
        path: a symbolic link stays one, and the file it leads to is written.
        data: text is written in UTF-8, with its line ends as they are.

    Raises:
        OSError: the folder or the file cannot be written; the old file is as it was.
    """
    target = real(path)
    new = beside(target, secrets.token_hex(4))
    prepare(new, target, data)
    replace(new, target)


def beside(target: Path, mark: str) -> Path:
    """A name beside the target for what will take its place."""
    return target.parent / f".{target.name[:100]}.{mark}.pgpatterns"


def prepare(new: Path, target: Path, data: bytes | str) -> None:
    """Write a new file, on the disk as a whole, with the target's mode; `replace` puts it in the target's place.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    # For nobody else until it has the target's mode; and O_EXCL follows no link that somebody has put there.
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            _take_mode(stream.fileno(), target)
            # Without it a power cut may leave the new name on an empty file.
            os.fsync(stream.fileno())
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def replace(new: Path, target: Path) -> None:
    """Put a prepared file in its place, in one step.

    Raises:
        OSError: it cannot be moved; the new file is gone then, the old one as it was.
    """
    try:
        move(new, target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def move(new: Path, target: Path) -> None:
    """Put a prepared file in its place; if that fails, the new file stays.

    A file with a second name (a hard link) keeps both: it gets the new content, and no other file takes its name. That
    alone is not one step. The new file is there until it is done.

    Raises:
        OSError: it cannot be moved.
    """
    if _has_other_names(target):
        with target.open("r+b") as stream:
            stream.write(new.read_bytes())
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        new.unlink()
    else:
        new.replace(target)
    sync_folder(target.parent)


def _has_other_names(target: Path) -> bool:
    try:
        return target.stat().st_nlink > 1
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Make names in a folder last through a power cut, if its file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _take_mode(handle: int, target: Path) -> None:
    """Mode and owner of the file that is replaced; of a new one what the umask leaves."""
    try:
        status = target.stat()
    except FileNotFoundError:
        # It can only be read by setting it.
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, NEW_MODE & ~mask)
        return
    with contextlib.suppress(OSError):
        # Before the mode: chown() clears some of its bits. Only root may give a file to somebody else.
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, stat.S_IMODE(status.st_mode))
    _take_attributes(handle, target)


def _take_attributes(handle: int, target: Path) -> None:
    """Access lists (ACLs), labels and other extended attributes, as far as this user may set them (Linux)."""
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(target):
                with contextlib.suppress(OSError):
                    os.setxattr(handle, name, os.getxattr(target, name))
