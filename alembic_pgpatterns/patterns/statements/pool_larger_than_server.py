from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import Sender
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload

RESERVED = 3
"""Connections that PostgreSQL keeps for superusers (superuser_reserved_connections)."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of pool-larger-than-server."""

    max_connections: int = 100
    """Connections that the server allows (its max_connections)."""
    processes: int = 4
    """Processes of the application that run at once, each with a pool of its own."""


class PoolLargerThanServer(StatementPattern):
    """A connection pool that can take more connections than the server has.

    Each process of the application has a pool of its own and may open pool_size + max_overflow connections. When all
    processes do so at once, PostgreSQL refuses the next ones ("too many clients"), also those of other programs.
    """

    Options = Options
    references = ("https://docs.sqlalchemy.org/en/20/core/pooling.html#connection-pool-configuration",)
    runs = False
    bad = """
        engine = create_engine(url, pool_size=50, max_overflow=-1)
    """
    good = """
        engine = create_engine(url, pool_size=5, max_overflow=10)
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Engines whose pools are too large."""
        for engine in workload.engines:
            # NullPool and the like keep no connections.
            if engine.size is None or engine.overflow is None:
                continue
            allowed = (self.options.max_connections - RESERVED) // self.options.processes
            most = engine.size + engine.overflow
            if engine.overflow < 0 or most > allowed:
                # max_overflow=-1 is no limit (SQLAlchemy, QueuePool).
                number = "any number of" if engine.overflow < 0 else str(most)
                message = (
                    f"a process may open {number} connections; {self.options.processes} processes share "
                    f"{self.options.max_connections} (pool_size={engine.size}, max_overflow={engine.overflow})"
                )
                advice = Advice(f"Let pool_size + max_overflow be at most {allowed}, or put a pooler in between.")
                yield self.finding(Sender(f"engine {engine.dialect}", engine.site), message, advice)
