"""SQL text that contains colons, for SQLAlchemy's ``text()``."""

from __future__ import annotations

import re

# A colon that starts a name, or follows a backslash; and those after it, since ``text()`` undoes ``\\:name`` only if no
# further colon follows (``BIND_PARAMS_ESC`` in sqlalchemy/sql/compiler.py): ``[[:alpha:]]`` needs two.
_BIND = re.compile(r"(?:(?<![:\w\\]):(?=\w)|(?<=\\):)[\w$]*(?::+[\w$]*)*")


def escape_binds(statement: str) -> str:
    """The SQL with escapes, so that ``text()`` sees no parameter in it, and makes the same SQL of it."""
    return _BIND.sub(lambda match: match.group().replace(":", r"\:"), statement)
