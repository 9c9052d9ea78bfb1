"""SQL text that holds colons, for SQLAlchemy's ``text()``."""

from __future__ import annotations

import re

_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")


def escape_binds(statement: str) -> str:
    """SQL in which SQLAlchemy's ``text()`` finds no parameter."""
    return _BIND.sub(r"\\:", statement)
