"""The engine and its pool.

Budget: processes x (pool_size + max_overflow) has to stay below the server's ``max_connections``.
"""

import os
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

DEFAULT_URL = "postgresql+psycopg://shop@localhost:5432/shop"


def database_url() -> URL:
    """The address in the environment variable DATABASE_URL, else that of a developer's machine.

    Platforms hand out ``postgres://`` or ``postgresql://``; the driver is this project's choice, so it is added.
    Source: SQLAlchemy, "Engine Configuration", section "Database URLs".
    """
    text = os.environ.get("DATABASE_URL") or DEFAULT_URL
    url = make_url(text.replace("postgres://", "postgresql://", 1) if text.startswith("postgres://") else text)
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """How one process uses the database; seconds, where not said otherwise."""

    url: URL = field(default_factory=database_url)
    pool_size: int = 5
    max_overflow: int = 5
    pool_timeout: float = 5
    pool_recycle: int = 1800
    connect_timeout: int = 5
    statement_timeout_ms: int = 15_000
    idle_in_transaction_timeout_ms: int = 30_000
    role: str | None = None
    """A role to become after login: row level security does not bind the owner of the tables, nor a superuser."""


def create_engine(settings: DatabaseSettings) -> AsyncEngine:
    """One engine for the whole process, opened in its event loop and disposed of at shutdown.

    - ``pool_size`` + ``max_overflow`` is the most connections that this process ever holds.
    - ``pool_timeout`` is short: a caller who cannot get a connection in seconds is better told so than kept.
    - ``pool_recycle`` stays under the idle limit of the firewalls and proxies on the way.
    - ``pool_pre_ping`` costs a round trip at check-out and hides a restart of the server.

    Source: SQLAlchemy, "Connection Pooling", sections "Switching Pool Implementations", "Dealing with
    Disconnects" and "Setting Pool Recycle"; "Asynchronous I/O", section "Using multiple asyncio event loops".
    """
    return create_async_engine(
        settings.url,
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=settings.pool_recycle,
        pool_pre_ping=True,
        connect_args=connect_arguments(settings),
    )


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions whose objects stay readable after the commit.

    With ``expire_on_commit`` the next attribute read would have to query, which asyncio cannot do implicitly.
    Source: SQLAlchemy, "Asynchronous I/O", section "Preventing Implicit IO when Using AsyncSession".
    """
    return async_sessionmaker(engine, expire_on_commit=False)


def connect_arguments(settings: DatabaseSettings) -> dict[str, Any]:
    """Limits that the server holds, in the shape that the URL's driver wants.

    They travel with the connection's start, so no statement runs without them and no round trip is spent.
    A statement that runs away, or a transaction left open (which holds its locks and keeps VACUUM from removing
    dead rows), ends by itself. Source: PostgreSQL, "Client Connection Defaults", section "Statement Behavior".
    """
    options = {
        "statement_timeout": str(settings.statement_timeout_ms),
        "idle_in_transaction_session_timeout": str(settings.idle_in_transaction_timeout_ms),
        "application_name": "shop",
    }
    if settings.role is not None:
        options["role"] = settings.role
    if settings.url.get_driver_name() == "asyncpg":
        return {"timeout": settings.connect_timeout, "server_settings": options}
    return {
        "connect_timeout": settings.connect_timeout,
        "options": " ".join(f"-c {name}={_escaped(value)}" for name, value in options.items()),
    }


def _escaped(value: str) -> str:
    """A value as libpq's ``options`` wants it: backslashes and spaces behind a backslash."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
