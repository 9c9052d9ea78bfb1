"""What the installed SQLAlchemy knows: tests leave out what the oldest versions that we support cannot declare."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql


def accepts(kind: type[Any], option: str) -> bool:
    """Whether a construct takes ``postgresql_<option>``; ``Table(postgresql_with=...)`` is new in SQLAlchemy 2.1."""
    arguments = dict(postgresql.dialect.construct_arguments)
    return option in arguments.get(kind, {})


def only_if(kind: type[Any], option: str, value: Any) -> dict[str, Any]:
    """The option as keyword arguments; none if this SQLAlchemy refuses it."""
    return {f"postgresql_{option}": value} if accepts(kind, option) else {}
