"""The throw-away server, for the project's process: the parent does all work on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.processes.channel import Parent, Refused

current: dict[str, str] = {}
"""libpq's parameters of the server that connections lead to now, for programs that the project starts."""


@dataclass(frozen=True)
class ServerAccess:
    """The server that connections are redirected to. ``route``: libpq's parameters of it, without a database."""

    parent: Parent
    route: Mapping[str, str]

    def make_current(self) -> None:
        """Redirect programs that the project starts to it too."""
        current.clear()
        current.update(self.parameters())

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The parameters for a connection, with libpq's names."""
        return {**self.route, "dbname": database}

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one named ``wish``.

        Raises:
            PgPatternsError: the server refused.
        """
        return str(self._ask("create", wish))

    def welcome(self, user: str) -> None:
        """Create a role for the user in a project's URL. Raises as `create_scratch`."""
        self._ask("welcome", user)

    def prepare(self, database: str) -> None:
        """Run the file of the setting ``prepare`` in a new scratch database. Raises as `create_scratch`."""
        self._ask("prepare", database)

    def statement(self, sql: str, in_transaction: bool) -> str:
        """The statement to run instead of one that may make the server connect to another server.

        Raises:
            PgPatternsError: the statement must not run.
        """
        return str(self._ask("statement", sql, in_transaction))

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to a scratch database, which is used as it is."""
        return bool(self._ask("owns", {name: str(value) for name, value in parameters.items() if value is not None}))

    def _ask(self, subject: str, *values: object) -> object:
        try:
            return self.parent.ask(subject, *values)
        except Refused as error:
            raise PgPatternsError(str(error)) from error
