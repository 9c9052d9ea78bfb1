"""The server itself: what it can do, that it is gone afterwards, and what happens when something is in its way."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from alembic_pgpatterns.server import cluster
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, where the package looks for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = cluster.cache_folder()
    assert folder.is_relative_to(tmp_path)
    return folder


def test_serves_databases_and_says_what_it_is(any_server: ThrowawayServer) -> None:
    with any_server.connect() as connection:
        assert connection.info.server_version == any_server.version
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)
    name = any_server.create_database('Odd "name" ünïcode')
    try:
        engine = sqlalchemy.create_engine(any_server.url(name))
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (i int)")
        engine.dispose()
        copy = any_server.create_database("copy of it", template=name)
        with any_server.connect(copy) as connection:
            assert connection.execute("SELECT to_regclass('t')::text").fetchone() == ("t",)
        any_server.drop_database(copy)
    finally:
        any_server.drop_database(name)
    any_server.drop_database("never there")


def test_pytest_postgresql_gets_a_database_of_its_own(postgresql: psycopg.Connection, server: ThrowawayServer) -> None:
    assert postgresql.info.host == str(server.folder)
    assert postgresql.execute("SELECT count(*) FROM pg_class WHERE relname = 't'").fetchone() == (0,)


def test_nothing_is_left_after_success_or_failure() -> None:
    with throwaway_server() as server:
        first, pid = server.folder, server.pid
        assert alive(pid)
    with pytest.raises(ZeroDivisionError), throwaway_server() as server:
        second = server.folder
        raise ZeroDivisionError
    assert not first.exists() and not second.exists() and not alive(pid)
