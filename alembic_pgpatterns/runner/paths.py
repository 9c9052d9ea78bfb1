"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path


def relative(path: str) -> str:
    """The path as people in this folder write it."""
    candidate = Path(path)
    return str(candidate.relative_to(Path.cwd())) if candidate.is_relative_to(Path.cwd()) else path


def several(value: object) -> tuple[str, ...]:
    """What Alembic takes as one identifier, several or none, as a tuple."""
    if value is None:
        return ()
    return (str(value),) if isinstance(value, str) else tuple(map(str, value))  # type: ignore[call-overload]
