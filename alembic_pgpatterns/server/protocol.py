"""The interface of every server, started by us or named by the user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy


class Server(Protocol):
    """A PostgreSQL in which scratch databases may be created.

    ``version`` is ``server_version_num``; ``source`` says in messages where it comes from; ``log`` is the server's
    log if we can read it, else None.
    """

    @property
    def version(self) -> int:
        """``server_version_num``, 180006 for 18.6."""

    @property
    def source(self) -> str:
        """Where this server comes from, for messages; without a password."""

    @property
    def log(self) -> Path | None:
        """The server's log, if we can read it."""

    @property
    def is_fenced(self) -> bool:
        """Whether the kernel stops the server from connecting to others, whatever a statement says."""

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The parameters for a connection, with libpq's names."""

    def by_socket(self, database: str = "postgres") -> Mapping[str, str]:
        """The same for the project's process, whose fences refuse TCP to a server that is started here."""

    def url(self, database: str = "postgres") -> sqlalchemy.URL:
        """The URL of a database for SQLAlchemy with psycopg."""

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A new connection in autocommit mode; the caller closes it."""

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database and return its name, which may differ from ``name``."""

    def drop_database(self, name: str) -> None:
        """Drop a database of `create_database` and end its connections; no error if it does not exist."""

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one named ``wish``, with the same name if it is free."""

    def welcome(self, user: str) -> None:
        """Create a role for the user in a project's URL, unless the server is the user's."""

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to a scratch database, which is used as it is."""

    def failure(self) -> str | None:
        """Why the server has ended, with the way out; None if it runs or if we cannot know."""
