"""A server that somebody else runs: our databases come and go, and nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.external import external_server
from alembic_pgpatterns.server.redirect import redirect
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests.signals import HEEDED


@pytest.fixture(scope="module")
def theirs() -> Iterator[ThrowawayServer]:
    """Somebody's server, with a password and a database that is none of our business."""
    with throwaway_server(listen=True, roles=["present"]) as server:
        server.create_database("app")
        yield server


def databases(server: ThrowawayServer) -> set[str]:
    with server.connect() as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_the_program_that_watches_imports_nothing_of_the_project(
    theirs: ThrowawayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signal.py").write_text("open('ran', 'w').close()\n")
    with external_server(theirs.url()) as server:
        server.create_database("app")
    assert not (tmp_path / "ran").exists()


def test_scratch_databases_of_random_names_are_dropped(theirs: ThrowawayServer) -> None:
    before = databases(theirs)
    with external_server(theirs.url("app"), roles=["present"]) as server:
        assert server.version == theirs.version
        name = server.create_database("app")
        assert name.startswith("pgpatterns_")
        copy = server.create_database("copy", template=name)
        with server.connect(copy) as connection:
            connection.execute("CREATE TABLE t (i int)")
        engine = create_engine(server.url(name), poolclass=NullPool)
        held = engine.connect()  # whoever is still connected is no obstacle
        assert databases(theirs) == before | {name, copy}
        with pytest.raises(PgPatternsError, match="was not made by this run"):
            server.drop_database("app")
    held.invalidate()
    assert databases(theirs) == before
    with pytest.raises(ZeroDivisionError), external_server(theirs.url()) as server:
        server.create_database("x")
        raise ZeroDivisionError
    assert databases(theirs) == before


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_project_that_means_this_very_server_is_redirected_too(driver: str, theirs: ThrowawayServer) -> None:
    url = theirs.url("app").set(drivername=f"postgresql+{driver}")
    with external_server(theirs.url("app")) as server, redirect(server) as routes:
        with create_engine(url, poolclass=NullPool).begin() as connection:
            reached = connection.execute(text("SELECT current_database()")).scalar_one()
            connection.exec_driver_sql("CREATE TABLE damage (i int)")
        assert routes.databases == {routes.origins[0]: reached} and reached.startswith("pgpatterns_")
        assert create_engine(server.url(reached), poolclass=NullPool).connect().info is not None
    with theirs.connect("app") as connection:
        assert connection.execute("SELECT to_regclass('damage')").fetchone() == (None,)
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'app'").fetchone() == (0,)


@pytest.mark.parametrize("sql", ["SELECT 'dblink'", 'SELECT U&"\\0063oalesce"(1)', "SELECT 1"])
def test_statements_that_may_connect_are_looked_at_first(sql: str, theirs: ThrowawayServer) -> None:
    """A name with escapes may be any function's."""
    seen: list[str] = []

    def look(statement: str, in_transaction: bool) -> str:
        seen.append(statement)
        return "SELECT 2"

    engine = create_engine("postgresql+psycopg://u@db.invalid/app", poolclass=NullPool)
    with external_server(theirs.url()) as server, redirect(server, statement=look), engine.connect() as connection:
        connection.exec_driver_sql(sql)
    assert [statement for statement in seen if "SELECT" in statement] == ([] if sql == "SELECT 1" else [sql])


def test_asyncpg_goes_there_with_the_password(theirs: ThrowawayServer) -> None:
    import asyncio

    import asyncpg

    async def ask() -> Any:
        connection = await asyncpg.connect("postgresql://u@db.invalid/app")
        try:
            return await connection.fetchval("SELECT current_database()")
        finally:
            await connection.close()

    with external_server(theirs.url()) as server, redirect(server):
        assert asyncio.run(ask()).startswith("pgpatterns_")


def test_what_cannot_work_is_said_at_once(theirs: ThrowawayServer) -> None:
    with theirs.connect() as connection:
        connection.execute("CREATE ROLE weak LOGIN PASSWORD 'pw'")
    cases = (
        (theirs.url().set(password="wr0ng"), (), "password authentication failed"),
        (theirs.url().set(port=1, query={}, host="127.0.0.1"), (), "could not be used"),
        (theirs.url().set(username="weak", password="pw"), (), "may not create databases"),
        (theirs.url(), ("present", "absent"), "no role 'absent'"),
        ("mysql://root@localhost/x", (), "not PostgreSQL"),
    )
    for url, roles, says in cases:
        with pytest.raises(PgPatternsError, match=says) as caught, external_server(url, roles=roles):
            pass
        assert "wr0ng" not in str(caught.value) and str(theirs.password) not in str(caught.value)


def test_bad_url_is_an_error_of_ours() -> None:
    with pytest.raises(PgPatternsError, match="not a URL"), external_server("localhost"):
        pass


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.sample(3)
def test_databases_are_dropped_when_we_are_ended(how: signal.Signals, theirs: ThrowawayServer) -> None:
    before = databases(theirs)
    code = f"""
{HEEDED}
import os, sys
from alembic_pgpatterns.server.external import external_server
with external_server(os.environ["THEIRS"]) as server:
    print(server.create_database("x"), flush=True)
    sys.stdin.read()
"""
    url = theirs.url().render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "THEIRS": url},
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert name in databases(theirs)
        process.send_signal(how)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 30
    while name in databases(theirs) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert databases(theirs) == before


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc")
def test_the_password_is_in_no_argument(theirs: ThrowawayServer) -> None:
    with external_server(theirs.url()):
        deadline = time.monotonic() + 30
        children = arguments()
        # A program that has only just begun has none yet.
        while not any(b"sys.stdin" in each for each in children) and time.monotonic() < deadline:
            children = arguments()
    assert any(b"sys.stdin" in each for each in children)
    assert not any(str(theirs.password).encode() in each for each in children)


def arguments() -> list[bytes]:
    """Those of every process."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            found.append(place.read_bytes())
    return found


@pytest.mark.parametrize("encoding", [0, 8], ids=["SQL_ASCII", "LATIN1"])
def test_databases_are_of_utf8_whatever_the_cluster_was_made_with(encoding: int) -> None:
    """As after ``LC_ALL=C initdb``: SQLAlchemy with psycopg cannot connect to such a database."""
    with throwaway_server(listen=True, roles=["present"]) as theirs:
        with theirs.connect() as connection:
            connection.execute("UPDATE pg_database SET encoding = %s, datcollate = 'C', datctype = 'C'", [encoding])
            if theirs.version >= 170000:
                connection.execute("UPDATE pg_database SET datlocprovider = 'c', datlocale = NULL")
        with external_server(theirs.url("postgres"), roles=["present"]) as server:
            engine = create_engine(server.url(server.create_database("app")), poolclass=NullPool)
            with engine.connect() as connection:
                assert connection.execute(text("SHOW server_encoding")).scalar() == "UTF8"
                assert connection.execute(text("SELECT 'é'")).scalar() == "é"
