from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import LiveServer


@dataclass(frozen=True, slots=True)
class Options:
    """Options of connection-budget."""

    pool_size: int = 5
    """Connections that each process keeps (SQLAlchemy's `pool_size`)."""
    max_overflow: int = 10
    """Connections that each process may open besides (SQLAlchemy's `max_overflow`)."""
    processes: int = 1
    """Processes with a pool of their own: workers of all instances of everything that uses this database."""
    share: int = 80
    """Per cent of the connections that may be in use when it is looked at."""


class ConnectionBudget(ServerPattern):
    """The pools may open more connections than the server gives.

    Each process of the application has a pool of its own, so `(pool_size + max_overflow) * processes` connections may
    be wanted at once. Those beyond the limit fail with "too many clients", at the time of the highest load. The limit
    is the smallest of `max_connections` without those reserved for superusers, the database's CONNECTION LIMIT, and
    the role's.

    How many processes there are is yours to say (`processes`, beside `pool_size` and `max_overflow`). Whatever they
    are, a server with more than `share` per cent of its connections in use is reported too.
    """

    severity = Severity.WARNING
    Options = Options
    not_when = "A pooler in between (PgBouncer) keeps its own limit: then count its connections, not the application's."
    references = (
        "https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-MAX-CONNECTIONS",
        "https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.QueuePool",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """At most two findings: what may be wanted, and what is in use."""
        options = self.options
        limit, why = _limit(server)
        wanted = (options.pool_size + options.max_overflow) * options.processes
        if wanted > limit:
            pools = f"{options.processes} processes with {options.pool_size} + {options.max_overflow} connections"
            yield self.finding(
                at=server.place,
                message=f"{pools} may open {wanted}, and {why} allows {limit}",
                remedy=Advice("Smaller pools, fewer processes, or a pooler such as PgBouncer; more connections last."),
                severity=Severity.ERROR,
                detail="pools",
            )
        everybody = _general(server)
        if everybody and server.sessions.total * 100 > everybody * options.share:
            yield self.finding(
                at=server.place,
                message=f"{server.sessions.total} of {everybody} connections of the server are in use",
                remedy=Advice("See pg_stat_activity for who keeps them, and whether they are idle."),
                detail="in use",
            )


def _general(server: LiveServer) -> int:
    reserved = ("superuser_reserved_connections", "reserved_connections")
    return server.setting("max_connections").number - sum(server.setting(name).number for name in reserved)


def _limit(server: LiveServer) -> tuple[int, str]:
    limits = [(_general(server), "max_connections, without the reserved ones,")]
    if server.database_limit >= 0:
        limits.append((server.database_limit, f"the CONNECTION LIMIT of {server.database}"))
    own = next((role for role in server.roles if role.name == server.role), None)
    if own is not None and own.limit >= 0:
        limits.append((own.limit, f"the CONNECTION LIMIT of {own.name}"))
    return min(limits)
