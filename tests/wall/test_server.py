"""The throw-away PostgreSQL makes no connection, whatever a statement asks of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psycopg
import pytest

from alembic_pgpatterns.fences import landlock, seccomp
from alembic_pgpatterns.server.explain import explain
from alembic_pgpatterns.server.throwaway import ThrowawayServer
from tests.wall.production import Production, production

pytestmark = pytest.mark.skipif(
    not seccomp.available() and landlock.abi() < landlock.NETWORK, reason="the kernel has no fence for the server"
)


@pytest.fixture(scope="module")
def target() -> Iterator[Production]:
    with production() as server:
        yield server


def statements(target: Production) -> dict[str, list[str]]:
    tcp = f"host=127.0.0.1 port={target.port} user=u password=p dbname=d connect_timeout=3"
    by_socket = f"host={target.folder} port={target.port} user=u password=p dbname=d"
    # An empty hostaddr in the connection string wins over PGHOSTADDR.
    past_the_variable = f"hostaddr='' {by_socket}"
    bash = f"bash -c ''exec 3<>/dev/tcp/127.0.0.1/{target.port}''"
    foreign = "CREATE FOREIGN TABLE {0}_table (id int) SERVER {0}"
    server = "CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({}, port '{}', dbname 'd')"
    mapping = "CREATE USER MAPPING FOR PUBLIC SERVER {} OPTIONS (user 'u', password 'p')"
    options = {"fdw": "host '127.0.0.1'", "fdwaddr": "hostaddr '127.0.0.1'", "fdwsocket": f"host '{target.folder}'"}
    uses = {"select": "SELECT * FROM {}_table", "import": "IMPORT FOREIGN SCHEMA a FROM SERVER {} INTO public"}
    wrappers = {
        f"{name} {use}": [
            server.format(name, option, target.port), mapping.format(name), foreign.format(name), query.format(name),
            f"DROP SERVER IF EXISTS {name} CASCADE",
        ]
        for name, option in options.items()
        for use, query in uses.items()
    }  # fmt: skip
    return wrappers | {
        "dblink": [f"SELECT dblink_connect('{tcp}')"],
        "dblink hostaddr": [f"SELECT dblink_connect('{tcp.replace('host=', 'hostaddr=')}')"],
        "dblink socket": [f"SELECT dblink_connect('{by_socket}')"],
        "dblink past the variable": ["SELECT dblink_connect('{}')".format(past_the_variable.replace("'", "''"))],
        "dblink in a function": [
            f"DO $$ BEGIN PERFORM dblink_exec('{tcp}', 'DROP TABLE t'); EXCEPTION WHEN OTHERS THEN NULL; END $$"
        ],
        "subscription": [f"CREATE SUBSCRIPTION s CONNECTION '{tcp}' PUBLICATION p"],
        "subscription that waits": [
            f"CREATE SUBSCRIPTION w CONNECTION '{tcp}' PUBLICATION p WITH (connect = false)",
            "ALTER SUBSCRIPTION w ENABLE",
            "ALTER SUBSCRIPTION w REFRESH PUBLICATION",
            "DROP SUBSCRIPTION w",
            "ALTER SUBSCRIPTION w DISABLE",
            "ALTER SUBSCRIPTION w SET (slot_name = NONE)",
            "DROP SUBSCRIPTION w",
        ],
        "copy to a program": [f"COPY (SELECT 1) TO PROGRAM '{bash}'"],
        "copy from a program": ["CREATE TABLE IF NOT EXISTS t (i text)", f"COPY t FROM PROGRAM '{bash}'"],
        "copy to a program that connects to a socket": [
            "COPY (SELECT 1) TO PROGRAM 'python3 -c \"import socket; "
            f"socket.socket(socket.AF_UNIX).connect(''{target.folder}/.s.PGSQL.{target.port}'')\"'"
        ],
    }


def run(connection: psycopg.Connection, ways: dict[str, list[str]]) -> dict[str, str]:
    said = {}
    for name, texts in ways.items():
        for text in texts:
            with contextlib.suppress(psycopg.errors.UndefinedObject, psycopg.errors.FeatureNotSupported):
                try:
                    connection.execute(text)
                except psycopg.Error as error:
                    said[name] = f"{said.get(name, '')} {error}".strip()
    return said


def test_nothing_leads_out(any_server: ThrowawayServer, target: Production) -> None:
    name = any_server.create_database("goes_out")
    with any_server.connect(name) as connection:
        try:
            connection.execute("CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw")
        except psycopg.Error as error:
            pytest.skip(f"this PostgreSQL lacks the extensions: {error}")
        before = target.by_way
        said = run(connection, statements(target))
        time.sleep(0.5)  # what the server's own processes would do meanwhile
        assert target.by_way == before, said
        assert "Network is unreachable" in said["dblink"] or "Permission denied" in said["dblink"]
    any_server.drop_database(name)


def test_the_error_is_explained(server: ThrowawayServer, target: Production) -> None:
    name = server.create_database("explained")
    with server.connect(name) as connection:
        connection.execute("CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw")
        said = statements(target)
        for way in ("dblink", "dblink hostaddr", "dblink socket", "fdw select", "fdwsocket import", "subscription"):
            with pytest.raises(psycopg.Error) as caught:
                for text in said[way]:
                    connection.execute(text)
            assert "connects to no other server" in (explain(caught.value, server) or ""), caught.value
    server.drop_database(name)
    own = psycopg.OperationalError(
        f'connection to server on socket "{server.sockets}/.s.PGSQL.5432" failed: Permission denied'
    )
    assert explain(own, server) is None


def test_programs_that_need_no_connection_run(server: ThrowawayServer) -> None:
    name = server.create_database("programs")
    with server.connect(name) as connection:
        connection.execute("CREATE TABLE t (i text)")
        connection.execute("COPY t FROM PROGRAM 'echo here'")
        assert connection.execute("SELECT i FROM t").fetchone() == ("here",)
    server.drop_database(name)
