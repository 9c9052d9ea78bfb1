from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.patterns.server._roles import role_set, without
from alembic_pgpatterns.schema.live import LiveServer


@dataclass(frozen=True, slots=True)
class Options:
    """Options of no-statement-timeout."""

    timeout: str = "30s"
    """What the remedy proposes."""


class NoStatementTimeout(ServerPattern):
    """A role whose statements may run for ever.

    One statement without an index, or waiting for a lock, keeps its connection until it is noticed. When the pool is
    empty the application stands still although the server does not. With a limit there is one error instead.

    Checked are the roles that work in this database: those that own its tables, those connected to it now, and the role
    that runs this check. Superusers are checked only if the configured connection is theirs. Values from `ALTER ROLE …
    SET`, `ALTER DATABASE … SET` and the server's configuration are seen, in PostgreSQL's order; what the application
    sets after it connects cannot be seen.
    """

    severity = Severity.WARNING
    Options = Options
    not_when = "Leave it out for roles of batch jobs and backups, or if the application sets a limit for each query."
    references = (
        "https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-STATEMENT-TIMEOUT",
        "https://www.postgresql.org/docs/current/sql-alterrole.html",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """Roles that begin their sessions without a statement_timeout."""
        for role in without(server, "statement_timeout"):
            yield self.finding(
                at=role.place,
                message=f"statements of {role.name} may run for ever: nothing sets a statement_timeout",
                remedy=role_set(server, role, "statement_timeout", self.options.timeout),
            )
