"""Errors of the check's own connections: the server ended, or it does not serve us any more."""

from __future__ import annotations

import psycopg
import sqlalchemy.exc

from alembic_pgpatterns.output.causes import causes


def is_lost(error: BaseException | None) -> bool:
    """Whether a lost connection caused the error, however it was wrapped."""
    lost = (psycopg.OperationalError, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)
    return any(isinstance(cause, lost) for cause in causes(error))


def refusal(error: BaseException) -> str | None:
    """What to say where a running server refuses what the check asks for; None for other errors.

    Nobody else uses this server, so only the project's revisions can have caused that.
    """
    if not isinstance(error, psycopg.Error):
        return None
    return (
        f"the check's own PostgreSQL does not serve the check any more: {str(error).strip()}\nA revision may have "
        "changed who can connect or what happens then: ALTER DATABASE, ALTER ROLE, an event trigger on login or DDL."
    )
