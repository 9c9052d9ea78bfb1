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
    """Per cent of the server's connections that may be in use."""


class ConnectionBudget(ServerPattern):
    """The application's connection pools may open more connections than the server allows.

    Each process of the application has a pool of its own, so up to `(pool_size + max_overflow) * processes` connections
    may be opened at once. Those above the limit fail with "too many clients" when the load is highest. The limit is the
    smallest of `max_connections` without those reserved for superusers, the database's CONNECTION LIMIT, and the
    role's.

    Set the number of processes (`processes`, beside `pool_size` and `max_overflow`). Independently of that, a server
    that uses more than `share` per cent of its connections is reported.
    """

    severity = Severity.WARNING
    Options = Options
    not_when = "If a pooler (PgBouncer) stands between, it has its own limit: set the options to its connections."
    references = (
        "https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-MAX-CONNECTIONS",
        "https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.QueuePool",
    )

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """At most two findings: what may be opened, and what is in use."""
        options = self.options
        limit, limited_by = _limit(server)
        possible = (options.pool_size + options.max_overflow) * options.processes
        if possible > limit:
            pools = f"{options.processes} processes with {options.pool_size} + {options.max_overflow} connections"
            yield self.finding(
                at=server.place,
                message=f"{pools} may open {possible}, but {limited_by} allows {limit}",
                remedy=Advice(
                    "Make the pools smaller, run fewer processes, or put a pooler such as PgBouncer in between. "
                    "Raise max_connections only if that is not enough."
                ),
                severity=Severity.ERROR,
                detail="pools",
            )
        everybody = _general(server)
        if everybody and server.sessions.total * 100 > everybody * options.share:
            yield self.finding(
                at=server.place,
                message=f"{server.sessions.total} of {everybody} connections of the server are in use",
                remedy=Advice(
                    "Find out who keeps them: SELECT usename, application_name, state, count(*) FROM "
                    "pg_stat_activity GROUP BY 1, 2, 3."
                ),
                detail="in use",
            )


def _general(server: LiveServer) -> int:
    reserved = ("superuser_reserved_connections", "reserved_connections")
    return server.setting("max_connections").number - sum(server.setting(name).number for name in reserved)


def _limit(server: LiveServer) -> tuple[int, str]:
    limits = [(_general(server), "max_connections, without the reserved ones,")]
    # -1 is no limit (pg_database.datconnlimit).
    if server.database_limit >= 0:
        limits.append((server.database_limit, f"the CONNECTION LIMIT of {server.database}"))
    configured = next((role for role in server.roles if role.name == server.role), None)
    if configured is not None and configured.limit >= 0:
        limits.append((configured.limit, f"the CONNECTION LIMIT of {configured.name}"))
    return min(limits)
