"""The comment in a revision where only a person knows which values existing rows get."""

from __future__ import annotations

import re

from alembic_pgpatterns.revisions.comments import comments
from alembic_pgpatterns.schema.names import quote

_WORDS = "Existing rows need a value in"
_HEADING = re.compile(rf"#\s*{_WORDS} (.+) before NOT NULL\.")


def place(schema: str | None, table: str, column: str) -> str:
    """A column as the comment names it."""
    return ".".join(quote(part) for part in (schema, table, column) if part)


def heading(schema: str | None, table: str, column: str) -> str:
    """The first sentence of the comment."""
    return f"# {_WORDS} {place(schema, table, column)} before NOT NULL."


def unfilled(path: str) -> dict[str, int]:
    """The places that a file's comments name, each with its line.

    Args:
        path: of the file; nothing if it cannot be read.
    """
    headings = ((_HEADING.match(text), line) for line, _, text in comments(path, _WORDS))
    return {match[1]: line for match, line in headings if match is not None}
