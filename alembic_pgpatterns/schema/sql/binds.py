"""SQL text that contains colons, for SQLAlchemy's ``text()``."""

from __future__ import annotations

import re

_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")


def escape_binds(statement: str) -> str:
    """The SQL with escapes, so that ``text()`` sees no parameter in it."""
    return _BIND.sub(r"\\:", statement)
