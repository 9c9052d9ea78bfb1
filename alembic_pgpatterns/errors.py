"""The one family of errors that people see: what happened, where, and the way out."""

from __future__ import annotations

from alembic.util import CommandError


class PgPatternsError(CommandError):
    """Something could not be done; the message says what, where and what to do.

    The ``alembic`` program prints it as ``FAILED: …`` and exits with 255.
    """
