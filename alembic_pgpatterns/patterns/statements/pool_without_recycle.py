from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.patterns.statements._places import Sender
from alembic_pgpatterns.patterns.statements._source import tests_make_engines
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload


class PoolWithoutRecycle(StatementPattern):
    """A connection pool that keeps connections for ever and does not test them.

    Firewalls and proxies drop connections that are idle, and a restarted server has dropped all of them. The pool
    does not know: the next request gets a dead connection and fails.

    What does not count: pools that test each connection (pool_pre_ping), NullPool, which keeps none, and a recording
    whose tests make an engine of their own.
    """

    severity = Severity.INFO
    references = ("https://docs.sqlalchemy.org/en/20/core/pooling.html#dealing-with-disconnects",)
    runs = False
    bad = """
        engine = create_engine(url)
    """
    good = """
        engine = create_engine(url, pool_recycle=1800, pool_pre_ping=True)
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Engines with a pool that neither recycles nor tests its connections."""
        if tests_make_engines(workload):
            return
        for engine in workload.engines:
            # -1, SQLAlchemy's default of pool_recycle, is never.
            if (
                engine.size is not None
                and not engine.pre_ping
                and (-1 if engine.recycle is None else engine.recycle) < 0
            ):
                message = "connections are kept for ever and not tested before they are used"
                advice = Advice("Write create_engine(..., pool_recycle=1800), or pool_pre_ping=True.")
                yield self.finding(Sender(f"engine {engine.dialect}", engine.site), message, advice)
