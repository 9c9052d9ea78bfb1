"""A SQLAlchemy connection to a scratch database, with whatever driver the project has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy
from sqlalchemy import pool
from sqlalchemy.engine import URL

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.drivers import DRIVERS, is_usable


def with_connection(parameters: Mapping[str, str], function: Callable[[Any], Any], driver: str = "") -> Any:
    """Call a function with an open connection and return its result. Nothing is committed.

    Args:
        parameters: libpq's, with the database.
        function: takes the connection.
        driver: the application's, which is tried first; empty for any.

    Raises:
        PgPatternsError: the project has no PostgreSQL driver.
        sqlalchemy.exc.SQLAlchemyError: what the connection or the function raised.
    """
    name = _driver(driver)
    url = _url(name, parameters)
    if name == "asyncpg":
        return asyncio.run(_asynchronously(url, function))
    # NullPool closes the connection at once; an open one would keep the database from being dropped or copied.
    # ``future`` gives SQLAlchemy 1.4 the connection of 2.0, which has commit().
    engine = sqlalchemy.create_engine(url, poolclass=pool.NullPool, future=True)
    with engine.connect() as connection:
        return function(connection)


async def _asynchronously(url: URL, function: Callable[[Any], Any]) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        return await connection.run_sync(function)


def _driver(preferred: str) -> str:
    for name in (preferred.removesuffix("_async"), *DRIVERS):
        if name in DRIVERS and is_usable(name):
            return name
    raise PgPatternsError(
        f"the project's environment has no PostgreSQL driver. Way out: install one of {', '.join(DRIVERS)} there."
    )


def _url(driver: str, parameters: Mapping[str, str]) -> URL:
    host, port = parameters.get("host", ""), parameters.get("port", "")
    in_folder = host.startswith("/")
    query: dict[str, Any] = {}
    # libpq takes the folder of a Unix socket as the host, and so does asyncpg; pg8000 wants the path of the socket.
    if in_folder and driver == "pg8000":
        query = {"unix_sock": f"{host}/.s.PGSQL.{port or 5432}"}
    elif in_folder:
        query = {"host": host, "port": port} if port else {"host": host}
    return URL.create(
        f"postgresql+{driver}",
        username=parameters.get("user"),
        password=parameters.get("password"),
        host=None if in_folder else host or None,
        port=int(port) if port and not in_folder else None,
        database=parameters["dbname"],
        query=query,
    )
