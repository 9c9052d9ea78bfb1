from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, StatementPattern
from alembic_pgpatterns.patterns.statements._places import Sender
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.workload.model import Workload


class AsyncSessionExpires(StatementPattern):
    """Objects of an asynchronous session that expire when it commits, so that reading them afterwards fails.

    After a commit the next access to an attribute sends a query. Under asyncio an attribute cannot wait for one, so
    it fails with MissingGreenlet.
    """

    references = (
        "https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#preventing-implicit-io-when-using-asyncsession",
    )
    runs = False
    bad = """
        sessions = async_sessionmaker(engine)
    """
    good = """
        sessions = async_sessionmaker(engine, expire_on_commit=False)
    """

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """Asynchronous engines whose sessions expire their objects."""
        for engine in workload.engines:
            if engine.is_async and engine.expires_on_commit:
                message = "objects of asynchronous sessions expire at each commit, and cannot be read afterwards"
                advice = Advice("Write async_sessionmaker(engine, expire_on_commit=False).")
                yield self.finding(Sender(f"sessions of {engine.dialect}", engine.site), message, advice)
