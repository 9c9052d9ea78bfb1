"""Files as they are named in what is committed or read by other programs: the same on every machine."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

_project: Path | None = None


def set_project(folder: Path) -> None:
    """Note the project's folder: places are named from there, wherever the command was started (``alembic -c``)."""
    global _project
    _project = folder.resolve()


def repository(folder: Path | None = None) -> Path:
    """The nearest folder with a ``.git`` in it, from a folder up; that folder itself without one.

    Args:
        folder: to begin with; None for the project's, or the current one if there is no project.
    """
    start = (folder or _project or Path.cwd()).absolute()
    return next((parent for parent in (start, *start.parents) if (parent / ".git").exists()), start)


def file_at(path: str) -> Path:
    """The file of a place, absolute.

    The places of models are relative to the current folder, those of queries to the project's, since they are in
    fingerprints.

    Args:
        path: absolute, or relative to one of the two.
    """
    file = Path.cwd() / path
    elsewhere = _project / path if _project is not None else file
    return elsewhere if not _exists(file) and _exists(elsewhere) else file


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):
        return False  # a name that is too long, or no name: messages hold what others wrote


def within_repository(path: str) -> str | None:
    """A path, as people in the current folder write it, seen from the repository's root; None if it is outside."""
    absolute = Path(os.path.normpath(file_at(path)))
    root = repository()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else None


def portable(path: str) -> str:
    """A path without a folder of this machine.

    It starts at the repository's root; of a file elsewhere at the root of its own repository, or with the name of an
    installed package; if neither is known, only the file's name is left.

    Args:
        path: absolute, or relative to the current folder.
    """
    inside = within_repository(path)
    if inside is not None:
        return inside
    parts = PurePath(path).parts
    packages = [number for number, part in enumerate(parts) if part.endswith("-packages")]
    if packages:
        return "/".join(parts[packages[-1] + 1 :])
    file = file_at(path)
    root = repository(file.parent)
    return file.relative_to(root).as_posix() if root != file.parent or (root / ".git").exists() else file.name


def from_here(path: str) -> str:
    """A path for people: from the current folder in the project's repository, otherwise as `portable` has it."""
    if not PurePath(path).is_absolute():
        return path
    if within_repository(path) is None or not Path.cwd().is_relative_to(repository()):
        return portable(path)
    return PurePath(os.path.relpath(path)).as_posix()
