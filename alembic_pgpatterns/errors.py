"""The errors that users see: what happened, where, and what to do."""

from __future__ import annotations

import re

from alembic.util import CommandError

from alembic_pgpatterns.output.secrets import without_secrets

_ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")


def text_of(error: BaseException) -> str:
    """The message of an error. If its ``__str__`` fails, the message says so."""
    try:
        # Where an object is in memory says nothing, and is different in each run.
        return _ADDRESS.sub("", str(error))
    except Exception as inner:
        return f"(its text cannot be read: {type(inner).__name__})"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, for a reason in a list; the error's kind if it has no message."""
    return next(iter(text_of(error).splitlines()), type(error).__name__)


class PgPatternsError(CommandError):
    """Something failed. The message says what, where and what to do.

    The ``alembic`` program prints it as ``FAILED: …`` and exits with 255.
    Passwords that a library, the server or the project put into the text are hidden.
    """

    def __init__(self, message: str) -> None:
        """Take the text for people."""
        super().__init__(without_secrets(message))


class ApplicationFailed(PgPatternsError):
    """What the settings name as the application, or as its configuration, cannot be had."""


class WrongUse(PgPatternsError):
    """A flag, an argument or a setting asks for what does not exist. The command exits with 2."""
