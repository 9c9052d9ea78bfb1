"""How an engine pools its connections, from its public attributes."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.workload.model import EngineFacts


def engine_facts(engine: Any) -> EngineFacts:
    """The facts of an engine. A fact is None if its kind of pool does not have it."""
    pool = engine.pool
    kind = type(pool).__name__
    queues = kind.endswith("QueuePool")
    # No public attribute tells it.
    recycle = getattr(pool, "_recycle", None)
    return EngineFacts(
        dialect=f"{engine.dialect.name}+{engine.dialect.driver}",
        pool=kind,
        size=pool.size() if queues else None,
        overflow=getattr(pool, "_max_overflow", None) if queues else None,
        recycle=recycle if queues else None,
        pre_ping=bool(getattr(pool, "_pre_ping", False)),
        is_async=bool(getattr(engine.dialect, "is_async", False)),
    )
