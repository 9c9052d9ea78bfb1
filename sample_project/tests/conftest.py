"""The shop's databases: one of each PostgreSQL that the repository tests on, migrated once and copied per test."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from shop.database import DatabaseSettings, session_factory  # noqa: E402

from .support import Sessions, opened  # noqa: E402


@pytest.fixture
def alembic_config(any_database: Any, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The project's own alembic.ini, its DATABASE_URL naming an empty database."""
    return _config(any_database.url, monkeypatch)


@pytest.fixture(scope="session")
def migrated(any_server: Any) -> str:
    """The name of a database at the newest revision, to copy from."""
    name: str = any_server.create_database("shop_template")
    with pytest.MonkeyPatch.context() as patch:
        command.upgrade(_config(any_server.url(name), patch), "head")
    return name


@pytest.fixture
def url(any_server: Any, migrated: str) -> Iterator[URL]:
    """A database of the test's own at the newest revision."""
    name = any_server.create_database(f"shop_{uuid.uuid4().hex[:12]}", template=migrated)
    yield any_server.url(name)
    any_server.drop_database(name)


@pytest.fixture
def run(url: URL) -> Callable[[Callable[[Sessions], Awaitable[None]]], None]:
    """Runs a coroutine function with a session factory, on an engine of its own event loop."""

    def runner(test: Callable[[Sessions], Awaitable[None]]) -> None:
        async def with_engine() -> None:
            async with opened(DatabaseSettings(url=url)) as engine:
                await test(session_factory(engine))

        asyncio.run(with_engine())

    return runner


def _config(url: URL, patch: pytest.MonkeyPatch) -> Config:
    patch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    return Config(PROJECT / "alembic.ini")
