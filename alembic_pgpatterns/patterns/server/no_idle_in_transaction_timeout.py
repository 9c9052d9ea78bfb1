from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.patterns.server._roles import role_set, without
from alembic_pgpatterns.schema.live import LiveServer


@dataclass(frozen=True, slots=True)
class Options:
    """Options of no-idle-in-transaction-timeout."""

    timeout: str = "60s"
    """What the remedy proposes."""


class NoIdleInTransactionTimeout(ServerPattern):
    """A role whose transactions may stay open for ever while they do nothing.

    A request that hangs, or a debugger, keeps a transaction open. It holds its locks, so a migration waits and every
    query waits behind the migration; and it stops vacuum, so every table grows.

    Checked are the roles that work in this database, as for no-statement-timeout. A `transaction_timeout` (PostgreSQL
    17) is enough too, since it also ends idle transactions.
    """

    severity = Severity.WARNING
    Options = Options
    not_when = "Leave it out if a transaction has to wait for something outside the database by design."
    references = (
        "https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Roles that begin their sessions with neither of the two timeouts."""
        # New in PostgreSQL 17. It ends a transaction that is idle, too.
        limited = set() if "transaction_timeout" not in server.settings else _limited(server)
        for role in without(server, "idle_in_transaction_session_timeout"):
            if role.name not in limited:
                yield self.finding(
                    at=role.place,
                    message=f"transactions of {role.name} may stay open and idle for ever, with the locks they hold",
                    remedy=role_set(server, role, "idle_in_transaction_session_timeout", self.options.timeout),
                )


def _limited(server: LiveServer) -> set[str]:
    return {role.name for role in server.roles} - {role.name for role in without(server, "transaction_timeout")}
