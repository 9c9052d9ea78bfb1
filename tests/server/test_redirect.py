"""Every connection inside `redirect` reaches the throw-away server, or none at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pg8000.dbapi
import pg8000.native
import psycopg
import psycopg2
import psycopg2.extras
import psycopg2.pool
import pytest
import sqlalchemy
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.real_database import RealDatabase
from alembic_pgpatterns.server.redirect import Routes, redirect
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server

# Nobody listens there, and .invalid never resolves: a connection that was not redirected fails.
NOWHERE = "user:s3cret@db.invalid:6543/app"
Fresh = Callable[[], Any]
WHERE = "SELECT current_database(), current_setting('data_directory')"


@pytest.fixture(scope="module")
def target() -> Iterator[ThrowawayServer]:
    """A server of this file's own: scratch databases get the names of the real ones."""
    with throwaway_server() as server:
        yield server


@pytest.fixture
def routes(target: ThrowawayServer) -> Iterator[Routes]:
    with redirect(target) as routes:
        yield routes
    for name in routes.databases.values():
        target.drop_database(name)


def ask(engine: Engine, query: str = WHERE) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(query)).fetchone()


def ask_async(url: str, query: str = WHERE, **options: Any) -> Any:
    async def run() -> Any:
        engine = create_async_engine(url, **options)
        async with engine.connect() as connection:
            row = (await connection.execute(text(query))).fetchone()
        await engine.dispose()
        return row

    return asyncio.run(run())


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sync_engines_keep_their_driver_and_their_session(driver: str, routes: Routes, target: ThrowawayServer) -> None:
    engine = create_engine(
        f"postgresql+{driver}://{NOWHERE}?sslmode=verify-full&sslrootcert=/nonexistent&application_name=mine",
        connect_args={"options": "-csearch_path=one,two", "target_session_attrs": "read-write"},
        poolclass=NullPool,
    )
    assert ask(engine) == ("app", str(target.data))
    assert ask(engine, "SHOW search_path") == ("one,two",)
    assert ask(engine, "SHOW application_name") == ("mine",)
    assert ask(engine, "SELECT usesuper FROM pg_user WHERE usename = current_user") == (True,)
    with engine.connect() as connection:
        assert type(connection.connection.driver_connection).__module__.startswith(driver)
    assert routes.databases == {RealDatabase("db.invalid", "6543", "app"): "app"}
    assert routes.connections["app"] == 5
    assert routes.elsewhere == []


def test_async_engines(routes: Routes, target: ThrowawayServer) -> None:
    assert ask_async(
        f"postgresql+asyncpg://{NOWHERE}?ssl=require&prepared_statement_cache_size=0",
        connect_args={
            "statement_cache_size": 0,
            "server_settings": {"search_path": "there"},
            "prepared_statement_name_func": lambda: "",
            "ssl": "verify-full",
            "timeout": 9,
        },
        poolclass=NullPool,
        query=WHERE + ", current_setting('search_path')",
    ) == ("app", str(target.data), "there")
    assert ask_async(
        f"postgresql+psycopg_async://{NOWHERE}?options=-csearch_path%3Dthere",
        query=WHERE + ", current_setting('search_path')",
    ) == ("app", str(target.data), "there")
    assert ask_async(f"postgresql+psycopg://{NOWHERE}") == ("app", str(target.data))
    assert list(routes.databases.values()) == ["app"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("postgresql+psycopg://u@/app?host=a.invalid:1&host=b.invalid:2", ("a.invalid,b.invalid", "1,2", "app")),
        ("postgresql+psycopg2://u@/app?host=a.invalid&port=7", ("a.invalid", "7", "app")),
        ("postgresql+psycopg2://u@a.invalid?dbname=app", ("a.invalid", "5432", "app")),
        ("postgresql+psycopg://", ("localhost", "5432", None)),
        ("postgresql+psycopg://u@/postgres?host=/var/run/postgresql", ("localhost", "5432", "postgres")),
        ("postgresql+psycopg://u@127.0.0.1/", ("localhost", "5432", "u")),
    ],
)
def test_every_way_to_name_a_server(url: str, origin: tuple[str, str, str | None], routes: Routes) -> None:
    ask(create_engine(url, poolclass=NullPool))
    (found,) = routes.origins
    assert (found.host, found.port) == origin[:2]
    assert origin[2] in (None, found.database)


def test_asyncpg_with_several_hosts_and_with_a_dsn(routes: Routes, target: ThrowawayServer) -> None:
    assert ask_async("postgresql+asyncpg://u@/app?host=a.invalid:1&host=b.invalid:2") == ("app", str(target.data))

    async def direct() -> Any:
        dsn = "postgresql://u:p@[::1]:7,c.invalid:8/other?sslmode=verify-full&search_path=dsn_path"
        connection = await asyncpg.connect(dsn)
        try:
            return tuple(await connection.fetchrow(WHERE + ", current_setting('search_path')"))
        finally:
            await connection.close()

    assert asyncio.run(direct()) == ("other", str(target.data), "dsn_path")
    several, local = (
        RealDatabase("a.invalid,b.invalid", "1,2", "app"),
        RealDatabase("localhost,c.invalid", "7,8", "other"),
    )
    assert routes.origins == (several, local)


def test_each_database_has_one_of_its_own(routes: Routes) -> None:
    first = ask(create_engine("postgresql+psycopg://a@one.invalid/app", poolclass=NullPool))
    second = ask(create_engine("postgresql+psycopg://a@two.invalid/app", poolclass=NullPool))
    again = ask(create_engine("postgresql+psycopg2://b:p@ONE.invalid:5432/app", poolclass=NullPool))
    assert first == again != second
    assert len(routes.databases) == 2 == len(set(routes.databases.values()))


def test_the_user_of_the_url_exists_as_a_role(routes: Routes) -> None:
    engine = create_engine('postgresql+psycopg://app%20"owner@one.invalid/app', poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql('ALTER DATABASE app OWNER TO "app ""owner"')
        connection.exec_driver_sql('CREATE TABLE t (); GRANT SELECT ON t TO "app ""owner"')


def _creator() -> Any:
    return psycopg.connect(f"postgresql://{NOWHERE}")


async def _async_creator(*unused: Any, **ignored: Any) -> Any:
    return await asyncpg.connect(f"postgresql://{NOWHERE}")


def test_creators_and_pools_are_redirected(routes: Routes, target: ThrowawayServer) -> None:
    there = ("app", str(target.data))
    assert ask(create_engine("postgresql+psycopg://", creator=_creator)) == there
    pool = QueuePool(lambda: psycopg2.connect(f"postgresql://{NOWHERE}"))
    assert ask(create_engine("postgresql+psycopg2://", pool=pool)) == there
    assert ask_async("postgresql+asyncpg://", async_creator=_async_creator) == there


def test_drivers_called_directly_are_redirected(routes: Routes, target: ThrowawayServer) -> None:
    class Own(psycopg.Connection[Any]):
        pass

    for connect in (
        lambda: psycopg.connect(f"postgresql://{NOWHERE}", autocommit=True),
        lambda: Own.connect(host="db.invalid", port=6543, dbname="app", user="user"),
        lambda: psycopg2.connect(f"postgresql://{NOWHERE}", cursor_factory=psycopg2.extras.DictCursor),
        lambda: psycopg2.connect(host="db.invalid", port="6543", database="app", user="user"),
        lambda: psycopg2.pool.SimpleConnectionPool(1, 1, f"postgresql://{NOWHERE}").getconn(),
    ):
        connection = connect()
        cursor = connection.cursor()
        cursor.execute(WHERE)
        assert tuple(cursor.fetchone()) == ("app", str(target.data))
        connection.close()

    async def asynchronously() -> list[Any]:
        rows = []
        async with await psycopg.AsyncConnection.connect(f"postgresql://{NOWHERE}") as connection:
            rows.append(await (await connection.execute(WHERE)).fetchone())
        async with asyncpg.create_pool(f"postgresql://{NOWHERE}", min_size=1) as pool:
            rows.append(tuple(await pool.fetchrow(WHERE)))
        return rows

    assert asyncio.run(asynchronously()) == [("app", str(target.data))] * 2
    assert routes.databases == {RealDatabase("db.invalid", "6543", "app"): "app"}
    assert routes.connections["app"] == 7


def test_names_imported_before_are_redirected_too(target: ThrowawayServer) -> None:
    from asyncpg import connect as early_asyncpg
    from psycopg import connect as early
    from psycopg2 import connect as early2

    with redirect(target) as routes:
        early(f"postgresql://{NOWHERE}").close()
        early2(f"postgresql://{NOWHERE}").close()

        async def direct() -> None:
            await (await early_asyncpg(f"postgresql://{NOWHERE}")).close()

        asyncio.run(direct())
    assert routes.connections == {"app": 3}
    target.drop_database("app")


def test_environment_and_service_of_libpq_do_not_leak(
    target: ThrowawayServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = tmp_path / "services.conf"
    services.write_text("[prod]\nhost=prod.invalid\nport=99\ndbname=shop\nuser=boss\noptions=-csearch_path=svc\n")
    ambient = {"PGSERVICEFILE": str(services), "PGSERVICE": "prod", "PGHOST": "env.invalid", "PGSSLMODE": "verify-full"}
    ambient |= {"PGTARGETSESSIONATTRS": "standby", "PGREQUIREAUTH": "scram-sha-256", "PGSSLNEGOTIATION": "direct"}
    for name, value in ambient.items():
        monkeypatch.setenv(name, value)
    in_c = [sys.executable, "-c", "import os; print(os.environ.get('PGHOST'), os.environ.get('PGSERVICE'))"]
    with redirect(target) as routes:
        assert os.environ["PGHOST"] == "env.invalid"  # env.py may build its URL of it
        for driver in ("psycopg", "psycopg2"):
            engine = create_engine(f"postgresql+{driver}://", poolclass=NullPool)
            assert ask(engine, WHERE + ", current_setting('search_path')") == ("shop", str(target.data), "svc")
        assert ask_async("postgresql+asyncpg://u@/shop") == ("shop", str(target.data))
        assert subprocess.check_output(in_c, text=True).split() == [str(target.sockets), "None"]
    assert routes.origins[0] == RealDatabase("prod.invalid", "99", "shop")
    assert subprocess.check_output(in_c, text=True).split() == ["env.invalid", "prod"]
    for name in routes.databases.values():
        target.drop_database(name)


def test_a_projects_own_do_connect_listener_is_not_called(routes: Routes) -> None:
    engine = create_engine(f"postgresql+psycopg://{NOWHERE}", poolclass=NullPool)

    @event.listens_for(engine, "do_connect")
    def fetch_token(dialect: Any, record: Any, arguments: Any, keywords: Any) -> None:
        raise AssertionError("asked the cloud for a token")

    @event.listens_for(Engine, "do_connect")
    def fetch_token_for_all(dialect: Any, record: Any, arguments: Any, keywords: Any) -> None:
        raise AssertionError("asked the cloud for a token")

    try:
        assert ask(engine, "SELECT 1") == (1,)
    finally:
        event.remove(Engine, "do_connect", fetch_token_for_all)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////nonexistent/app.db", "sqlite+pysqlite:////nonexistent/app.db, which is not PostgreSQL"),
        ("postgresql+psycopg2cffi://user:s3cret@db.invalid/app", "cannot be redirected"),
        ("mysql+pymysql://user:s3cret@db.invalid/app", "which is not PostgreSQL"),
    ],
)
def test_others_are_refused_before_they_connect(url: str, says: str, routes: Routes) -> None:
    module = sqlalchemy.make_url(url).get_dialect()
    # The driver need not be installed: its module is never used.
    engine = create_engine(url, module=psycopg if module.driver != "pysqlite" else None, _initialize=False)
    with pytest.raises(PgPatternsError, match="Way out") as caught:
        engine.connect()
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert not routes.databases


def test_pg8000_however_it_is_asked_for(routes: Routes, target: ThrowawayServer) -> None:
    def connect() -> Any:
        return pg8000.dbapi.connect("user", host="db.invalid", port=6543, database="app", application_name="mine")

    engines = (
        create_engine(f"postgresql+pg8000://{NOWHERE}", poolclass=NullPool),
        create_engine("postgresql+pg8000://", creator=connect, poolclass=NullPool),
        create_engine(f"postgresql+pg8000://{NOWHERE}", connect_args={"ssl_context": True}, poolclass=NullPool),
    )
    for engine in engines:
        assert ask(engine) == ("app", str(target.data))
    cursor = connect().cursor()
    cursor.execute("SHOW application_name")
    assert list(cursor.fetchone()) == ["mine"]
    native = pg8000.native.Connection("user", unix_sock="/var/run/postgresql/.s.PGSQL.5433")
    assert list(map(list, native.run("SELECT current_database()"))) == [["user"]]
    native.close()
    assert [(origin.host, origin.port, origin.database) for origin in routes.origins][-1] == (
        "localhost",
        "5433",
        "user",
    )
    assert sum(routes.connections.values()) == 5


def test_sqlite_in_memory_is_let_through_and_told(routes: Routes) -> None:
    assert ask(create_engine("sqlite://"), "SELECT 1") == (1,)
    assert routes.elsewhere == ["SQLite in memory"]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_pools_filled_before_are_replaced(driver: str, target: ThrowawayServer, new_database: Fresh) -> None:
    other = new_database()
    engine = create_engine(other.url.set(drivername=f"postgresql+{driver}"))
    assert ask(engine)[0] == other.name
    with redirect(target) as routes:
        assert ask(engine) == (other.name, str(target.data))
        engine.dispose()
    assert ask(engine)[0] == other.name
    engine.dispose()
    for name in routes.databases.values():
        target.drop_database(name)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_an_asynchronous_engine_serves_one_loop_after_the_other(driver: str, target: ThrowawayServer) -> None:
    """An engine of the application's own, at which env.py begins a loop in each of its runs."""
    engine = create_async_engine(f"postgresql+{driver}://nobody@nowhere.invalid/app")

    async def ask() -> object:
        async with engine.connect() as connection:
            return (await connection.exec_driver_sql("SELECT current_database()")).scalar()

    for _ in range(2):
        with redirect(target) as routes:
            for _ in range(2):
                name = asyncio.run(ask())
                assert [name] == list(routes.databases.values())


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_an_applications_pool_keeps_nothing_of_a_run(driver: str, target: ThrowawayServer) -> None:
    """An engine of the application's own, whose database was copied, or its server restarted, between two runs."""
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://nobody@nowhere.invalid/app", pool_size=1)
    with redirect(target) as routes:
        for _ in range(2):
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
            (name,) = routes.databases.values()
            target.create_database(f"{name}_copy", template=name)
            target.drop_database(f"{name}_copy")


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "pg8000"])
def test_a_pooled_connection_that_is_killed_is_replaced(driver: str, target: ThrowawayServer) -> None:
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://nobody@nowhere.invalid/app", pool_size=1)
    processes = set()
    for _ in range(2):
        with redirect(target):
            for _ in range(2):
                with engine.connect() as connection:
                    process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                    connection.commit()
                    with target.connect() as other:
                        other.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))
                processes.add(process)
    assert len(processes) == 4


def test_a_connection_held_from_before_is_refused(target: ThrowawayServer, new_database: Callable[[], Any]) -> None:
    other = new_database()
    refused = pytest.raises(PgPatternsError, match="nothing was run")
    with other.engine().connect() as held, redirect(target), refused:
        held.exec_driver_sql("CREATE TABLE damage (i int)")
    with other.connect() as connection:
        assert connection.execute("SELECT to_regclass('damage')").fetchone() == (None,)


def test_a_creator_that_hands_out_a_foreign_connection_is_refused(
    target: ThrowawayServer, new_database: Callable[[], Any]
) -> None:
    other = new_database()
    held = other.connect()
    engine = create_engine("postgresql+psycopg://", creator=lambda: held, poolclass=StaticPool)
    with redirect(target), pytest.raises(PgPatternsError, match="creator"):
        engine.connect()
    held.close()


def test_all_is_as_before_afterwards(target: ThrowawayServer, database: Any) -> None:
    from asyncpg import connect_utils

    before = (psycopg2._connect, connect_utils._connect, vars(psycopg.Connection)["_get_connection_params"])
    with pytest.raises(ZeroDivisionError), redirect(target):
        raise ZeroDivisionError
    after = (psycopg2._connect, connect_utils._connect, vars(psycopg.Connection)["_get_connection_params"])
    assert before == after
    assert ask(database.engine())[0] == database.name
    with pytest.raises(sqlalchemy.exc.OperationalError, match=r"db\.invalid|not known"):
        ask(create_engine(f"postgresql+psycopg://{NOWHERE}", poolclass=NullPool))


def test_our_own_urls_stay_what_they_are(routes: Routes, target: ThrowawayServer) -> None:
    name = target.create_database("made for this")
    try:
        assert ask(create_engine(target.url(name), poolclass=NullPool)) == (name, str(target.data))
        with target.connect(name) as connection:
            assert connection.info.dbname == name
        assert not routes.databases
    finally:
        target.drop_database(name)
