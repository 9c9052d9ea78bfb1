"""Paths as they are shown to people."""

from __future__ import annotations

from pathlib import Path


def relative(path: str) -> str:
    """The path relative to the working folder, if it is below it."""
    candidate = Path(path)
    return str(candidate.relative_to(Path.cwd())) if candidate.is_relative_to(Path.cwd()) else path


def several(value: object) -> tuple[str, ...]:
    """A value that Alembic reads as one identifier, several or none, as a tuple."""
    if value is None:
        return ()
    return (str(value),) if isinstance(value, str) else tuple(map(str, value))  # type: ignore[call-overload]
