"""The throw-away server, as the project's process sees it: all that is done there for it, the parent does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.channel import Parent, Refused

current: dict[str, str] = {}
"""libpq's parameters of the server that connections lead to now, for programs that the project starts."""


@dataclass(frozen=True)
class ServerAccess:
    """Where connections are redirected to. ``route``: libpq's parameters of the server, without a database."""

    parent: Parent
    route: Mapping[str, str]

    def make_current(self) -> None:
        """Lead programs that the project starts there, too."""
        current.clear()
        current.update(self.parameters())

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The connection's parameters, by the names that libpq gives them."""
        return {**self.route, "dbname": database}

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one of the name ``wish``.

        Raises:
            PgPatternsError: the server did not do it.
        """
        return str(self._ask("create", wish))

    def welcome(self, user: str) -> None:
        """Make the user of a project's URL known as a role. Raises as `create_scratch`."""
        self._ask("welcome", user)

    def prepare(self, database: str) -> None:
        """Run the file of the setting ``prepare`` in a new scratch database. Raises as `create_scratch`."""
        self._ask("prepare", database)

    def statement(self, sql: str, in_transaction: bool) -> str:
        """What to run in place of a statement that may make the server connect to another one.

        Raises:
            PgPatternsError: it is not to be run.
        """
        return str(self._ask("statement", sql, in_transaction))

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to a database that is ours to use as it is."""
        return bool(self._ask("owns", {name: str(value) for name, value in parameters.items() if value is not None}))

    def _ask(self, what: str, *values: object) -> object:
        try:
            return self.parent.ask(what, *values)
        except Refused as error:
            raise PgPatternsError(str(error)) from error
