from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.patterns.server._roles import role_set, without
from alembic_pgpatterns.schema.live import LiveServer


@dataclass(frozen=True, slots=True)
class Options:
    """Options of no-lock-timeout."""

    timeout: str = "5s"
    """What the remedy proposes."""


class NoLockTimeout(ServerPattern):
    """The role that owns the tables waits for locks without limit.

    The owner runs the migrations. While a migration waits for a strong lock, every later query on the table waits
    behind it, also reads: a migration that would take a millisecond stops the application for as long as the oldest
    query on the table runs. With a lock_timeout it fails instead and can be tried again.

    Revisions that autogenerate writes with this package set one themselves; revisions that you write do not. Roles
    that own no table of this database are not checked.
    """

    severity = Severity.INFO
    Options = Options
    not_when = "Leave it out if env.py, or each revision, sets its own."
    references = ("https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT",)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Owners of tables that begin their sessions without a lock_timeout."""
        for role in without(server, "lock_timeout"):
            if role.owns:
                yield self.finding(
                    at=role.place,
                    message=f"{role.name}, which owns tables, waits for locks without limit, and every query on "
                    f"the table waits behind it",
                    remedy=role_set(server, role, "lock_timeout", self.options.timeout),
                )
