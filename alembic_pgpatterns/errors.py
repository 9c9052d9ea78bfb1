"""The one family of errors that people see: what happened, where, and the way out."""

from __future__ import annotations

import re

from alembic.util import CommandError

_SECRETS = (
    # To the last @ of the word: a password may hold one that should have been written %40.
    (re.compile(r"(://[^\s:/@]*:)(?!password@)\S+@"), r"\1***@"),
    (re.compile(r"(\bpassword\s*=\s*)('[^']*'|[^\s&;,)]+)", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\bPASSWORD\s+)'(?:[^']|'')*'", re.IGNORECASE), r"\1'***'"),
)


def without_secrets(text: str) -> str:
    """The text without the passwords of URLs, of libpq's connection strings and of CREATE ROLE."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class PgPatternsError(CommandError):
    """Something could not be done; the message says what, where and what to do.

    The ``alembic`` program prints it as ``FAILED: …`` and exits with 255.
    No password that a library, the server or the project itself put into the text gets that far.
    """

    def __init__(self, message: str) -> None:
        """Take what people are to read."""
        super().__init__(without_secrets(message))
