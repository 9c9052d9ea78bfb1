"""The limits of the project's process: its interpreter, how long its code may run, and where it may connect."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import sqlalchemy

from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.fences.allowed import Allowed, parse, together
from alembic_pgpatterns.server.account import run_roots
from alembic_pgpatterns.server.folder import PREFIX

TIME_LIMIT = 600.0
"""Seconds, unless the settings say otherwise."""


@dataclass(frozen=True)
class Confinement:
    """``time_limit``: seconds that one request may take. ``allowed``: connections that are not refused.

    ``python``: the interpreter; None for a fork of the command.
    """

    time_limit: float = TIME_LIMIT
    allowed: Allowed = field(default_factory=Allowed)
    python: Path | None = None

    @classmethod
    def of(cls, settings: Settings | None = None, *, fresh: bool = False) -> Self:
        """The limits in the settings. Throw-away servers that are started later are recognised by their sockets' path.

        Args:
            settings: the project's; None for none.
            fresh: use a new interpreter even in this environment, since this process has imported the project already.

        Raises:
            SettingsError: an entry of ``allow_connect`` is not an address.
        """
        beginnings = tuple(os.path.realpath(root) + f"/{PREFIX}" for root in run_roots())
        servers = Allowed(beginnings=beginnings)
        if settings is None:
            return cls(allowed=servers, python=Path(sys.executable) if fresh else None)
        try:
            parts = [parse(text) for text in settings.allow_connect]
        except ValueError as error:
            raise SettingsError(f"allow_connect: {error}") from error
        return cls(
            settings.seconds, together(servers, *parts, *_server(settings.server)), _other(settings.python, fresh)
        )


def _other(python: Path | None, fresh: bool) -> Path | None:
    """The interpreter, if it belongs to another environment, or if the process must not be a fork."""
    if python is None or python.absolute() == Path(sys.executable).absolute():
        return Path(sys.executable) if fresh else None
    return python


def _server(url: str | None) -> list[Allowed]:
    """The server in the settings."""
    if url is None:
        return []
    try:
        place = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return []  # reported when it is opened
    query = place.query.get("host")
    host = place.host or (query if isinstance(query, str) else None) or os.environ.get("PGHOST") or "localhost"
    port = int(place.port or os.environ.get("PGPORT") or 5432)
    return [Allowed(sockets=(host,))] if host.startswith("/") else [Allowed(addresses=((host, port),))]
