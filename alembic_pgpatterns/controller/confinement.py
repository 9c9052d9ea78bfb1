"""The limits of the project's process: its interpreter, how long its code may run, and where it may connect."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.fences.allowed import Allowed, parse, together
from alembic_pgpatterns.server.account import run_roots
from alembic_pgpatterns.server.folder import PREFIX
from alembic_pgpatterns.server.real_database import completed

DEFAULT_PORT = 5432
SOCKET_FOLDERS = ("/var/run/postgresql", "/run/postgresql", "/tmp")
TIME_LIMIT = 600.0
"""Seconds, unless the settings say otherwise."""


CANNOT_START = 126
"""The exit code of a process that could not start the interpreter, as shells have it."""


def no_python(program: Path, how: str) -> str:
    """What to say of an interpreter that ended before it answered anything; ``how`` it ended."""
    ended = "it cannot be started" if how.endswith(f" {CANNOT_START}") else f"it ended at once ({how})"
    reason = ended if program.exists() else "there is no such file"
    return (
        f"{program} cannot run the project: {reason}. It must be a Python with Alembic: that of the project's own "
        "environment. Name another interpreter: --python PATH."
    )


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
        # By path: the servers' sockets do not exist yet when the fences are put up, and nothing can be added to them
        # later.
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
    """The server that the settings name, by its URL, a service or libpq's variables."""
    if url is None:
        return []
    try:
        plain = sqlalchemy.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        parameters = completed(conninfo_to_dict(plain))
        ports = [int(port or DEFAULT_PORT) for port in parameters.get("port", "").split(",")]
    except (sqlalchemy.exc.ArgumentError, psycopg.Error, ValueError):
        return []  # whoever opens it says what is wrong
    hosts = (parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    # As libpq: one port for all hosts, or one for each.
    several = ports * len(hosts) if len(ports) == 1 else ports
    return [_place(host, port) for host, port in zip(hosts, several, strict=False)]


def _place(host: str, port: int) -> Allowed:
    if not host:
        # libpq's own default, which depends on who built it.
        return Allowed(tuple(f"{folder}/.s.PGSQL.{port}" for folder in SOCKET_FOLDERS), (("localhost", port),))
    return Allowed(sockets=(host,)) if host.startswith("/") else Allowed(addresses=((host, port),))
