"""What every server can do for us, whether we started it or were given it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy


class Server(Protocol):
    """A PostgreSQL in which scratch databases may be created.

    ``version`` is ``server_version_num``; ``source`` says to people where it comes from; ``log`` is the
    server's log where we can read it, else None.
    """

    @property
    def version(self) -> int:
        """``server_version_num``, 180006 for 18.6."""

    @property
    def source(self) -> str:
        """Where this server comes from, for people; without a password."""

    @property
    def log(self) -> Path | None:
        """The server's log, when we can read it."""

    @property
    def is_fenced(self) -> bool:
        """Whether something keeps the server from connecting to others, whatever a statement asks of it."""

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The connection's parameters, by the names that libpq gives them."""

    def url(self, database: str = "postgres") -> sqlalchemy.URL:
        """The URL of a database for SQLAlchemy with psycopg."""

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of its own, in autocommit mode; the caller closes it."""

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database and return its name, which need not be the one that was asked for."""

    def drop_database(self, name: str) -> None:
        """Drop a database that `create_database` made, with whoever is connected; none is no error."""

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one of the name ``wish``; under that very name where it is free."""

    def welcome(self, user: str) -> None:
        """Make the user of a project's URL known as a role, where the server is ours to change."""

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to a database that is ours to use as it is."""

    def failure(self) -> str | None:
        """Why the server is gone, with the way out; None while it runs, or where we cannot know."""
