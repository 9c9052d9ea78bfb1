"""Several files that change together: all of them or none, even if the program is interrupted.

The new files stand beside the old ones, under names that nobody else reads, until all is proven. A journal says which
they are. From the moment it says "commit", the files are moved, each in one step; if that is interrupted, the next run
moves the rest. Before that moment the next run takes the new files away. If a move fails, those before it are undone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from alembic_pgpatterns.output.files import beside, move, prepare, read_regular, read_text, real, write_whole

PREFIX = ".pgpatterns-"
JOURNAL = "journal.json"
LOCK = "lock"


class ChangedMeanwhile(Exception):
    """Another program changed a file between reading and writing."""


@dataclass(frozen=True)
class Move:
    """One file: the new one, its target, the digest of the old one (None if there was none), and its copy."""

    new: str
    target: str
    before: str | None
    backup: str | None


class Staging:
    """The files that one command will write. Use it as a context. At its end it removes what was not committed."""

    def __init__(self, home: Path) -> None:
        """Make the folder that belongs to this command.

        Args:
            home: a folder of the project, which must exist; of its file system.

        Raises:
            OSError: it cannot be written.
        """
        # In the project: a file moves in one step only within one file system.
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
        self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        # The kernel takes it back when the process ends, however it ends.
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._moves: list[Move] = []

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was not committed."""
        for item in self._moves:
            Path(item.new).unlink(missing_ok=True)
        self._moves = []
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)
        self._lock = -1

    def add(self, target: Path, data: bytes, read: bytes | None) -> None:
        """Prepare a file.

        Args:
            target: where it will go; a symbolic link stays one.
            data: what it will hold.
            read: what it held when it was read; None if there is none yet.

        Raises:
            OSError: it cannot be written.
        """
        target = real(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        number = len(self._moves)
        new = beside(target, f"{self.folder.name.removeprefix(PREFIX)}-{number}")
        backup = None
        if read is not None:
            backup = str(self.folder / f"before-{number}")
            Path(backup).write_bytes(read)
        # First the journal, then the file: so after a signal every existing file is in the journal.
        self._moves.append(Move(str(new), str(target), _digest(read), backup))
        self._write("staged")
        prepare(new, target, data)

    def commit(self) -> None:
        """Move all files to their targets.

        Raises:
            ChangedMeanwhile: a file is not as it was read; nothing was moved.
            OSError: a file cannot be moved; those that were are back as before.
        """
        for item in self._moves:
            if _digest(_content(Path(item.target))) != item.before:
                raise ChangedMeanwhile(item.target)
        self._write("commit")
        try:
            _move_all(self._moves)
        except OSError:
            _undo(self._moves)
            raise
        except BaseException:
            _move_all(self._moves)  # after a signal: finish the rest, which takes milliseconds
            raise
        finally:
            self._moves = []

    def _write(self, state: str) -> None:
        text = json.dumps({"state": state, "moves": [asdict(item) for item in self._moves]}, indent=1)
        write_whole(self.folder / JOURNAL, text)


def recover(home: Path) -> Iterator[str]:
    """Finish or undo what interrupted commands left in a folder of the project.

    Yields:
        What was done, for people, one line per command.
    """
    for folder in sorted(home.glob(f"{PREFIX}*")) if home.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink() and not _in_use(folder):
            yield _recovered(folder)


def _in_use(folder: Path) -> bool:
    """Whether the command that created the folder still runs: it holds the lock until its end."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _recovered(folder: Path) -> str:
    state, moves = "staged", []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        journal = json.loads(read_text(folder / JOURNAL))
        state, moves = journal["state"], _of_folder(folder, [Move(**entry) for entry in journal["moves"]])
    names = ", ".join(Path(item.target).name for item in moves) or "nothing"
    changed = [Path(item.target).name for item in moves if not _as_it_was(item)] if state == "commit" else []
    if state == "commit" and not changed:
        _move_all(moves)
        summary = f"finished the changes of an interrupted command: {names}"
    else:
        for item in moves:
            Path(item.new).unlink(missing_ok=True)
        summary = f"removed the files of an interrupted command: {names}"
        if changed:
            summary += f". It had begun to write, and since then {', '.join(changed)} was changed: look at these files"
    shutil.rmtree(folder, ignore_errors=True)
    return summary


def _of_folder(folder: Path, moves: list[Move]) -> list[Move]:
    """The moves whose new file has the name that a command with this folder gives it.

    A journal can be anybody's: of another machine, through git, or planted. It must not name files to be deleted.
    """
    mark = folder.name.removeprefix(PREFIX)
    return [
        item for number, item in enumerate(moves) if Path(item.new) == beside(Path(item.target), f"{mark}-{number}")
    ]


def _as_it_was(item: Move) -> bool:
    """Whether nobody has changed the target since the command was interrupted, or it has the new content already."""
    new = Path(item.new)
    if not new.exists():
        return True
    content = _content(Path(item.target))
    # A part of the new content: a file with several names is not written in one step.
    return _digest(content) == item.before or (content is not None and read_regular(new).startswith(content))


def _move_all(moves: list[Move]) -> None:
    """Move the remaining new files."""
    for item in moves:
        if Path(item.new).exists():
            move(Path(item.new), Path(item.target))


def _undo(moves: list[Move]) -> None:
    for item in moves:
        new, target = Path(item.new), Path(item.target)
        if new.exists():
            new.unlink()
        elif item.backup is not None:
            write_whole(target, read_regular(Path(item.backup)))
        else:
            target.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return None


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()
