"""Statements that make the server connect to another one: what runs in their place, and what is refused."""

from __future__ import annotations

import psycopg
import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.outgoing import without_connecting


def run(sql: str, *, in_transaction: bool = False, fenced: bool = True) -> str:
    return without_connecting(sql, in_transaction=in_transaction, fenced=fenced)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "COMMENT ON TABLE t IS 'CREATE SUBSCRIPTION s'",
        "INSERT INTO t VALUES ('ALTER SUBSCRIPTION s ENABLE')",
        "this is no SQL: SUBSCRIPTION %s",
        "ALTER SUBSCRIPTION s DISABLE",
        "ALTER SUBSCRIPTION s SET (slot_name = NONE)",
        "DROP SUBSCRIPTION s",
        "CREATE PUBLICATION p FOR ALL TABLES; SELECT 'subscription'",
        "ALTER TABLE dblink_log RENAME TO log",
        "CREATE FUNCTION dblink_count() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE dblink_state",
    ],
)
@pytest.mark.parametrize("fenced", [True, False])
def test_what_does_not_connect_is_left_as_it_is(sql: str, fenced: bool) -> None:
    assert run(sql, fenced=fenced) == sql


def test_a_subscription_without_its_connecting_part() -> None:
    sql = "SELECT 1; CREATE SUBSCRIPTION s CONNECTION 'host=prod' PUBLICATION p WITH (copy_data, streaming = on)"
    assert run(sql) == (
        "SELECT 1; CREATE SUBSCRIPTION s CONNECTION 'host=prod' PUBLICATION p "
        "WITH (streaming = on, connect = false, slot_name = NONE, enabled = false)"
    )
    assert run("ALTER SUBSCRIPTION s REFRESH PUBLICATION") == run("ALTER SUBSCRIPTION s ENABLE") == "DO 'BEGIN END'"
    assert (
        run("ALTER SUBSCRIPTION s ADD PUBLICATION q") == "ALTER SUBSCRIPTION s ADD PUBLICATION q WITH (refresh = false)"
    )


def test_a_slot_inside_of_a_transaction_is_refused_as_the_server_does() -> None:
    sql = "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"
    with pytest.raises(PgPatternsError, match="cannot run inside a transaction block"):
        run(sql, in_transaction=True)
    for option in ("create_slot = false", "connect = off", "create_slot = 0"):
        assert "connect = false" in run(f"{sql} WITH ({option})", in_transaction=True)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY t TO PROGRAM 'cat'",
        "SELECT dblink_connect('host=prod')",
        "SELECT * FROM dblink('host=prod', 'SELECT 1') AS t(i int)",
        "INSERT INTO t SELECT public.dblink_exec('a', 'b')",
        "DO $$ BEGIN PERFORM dblink_exec('host=prod', 'DROP TABLE t'); END $$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM dblink_connect('host=prod'); END $$",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT dblink_connect('host=prod') $$",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'COPY t TO PROGRAM ''cat'''; END $$",
        "DO $$ BEGIN CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (create_slot = false); END $$",
        "DO $$ BEGIN EXECUTE 'ALTER SUBSCRIPTION s ENABLE'; END $$",
        "DO $$ BEGIN DROP SUBSCRIPTION s; END $$",
        "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b",
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (hostaddr '10.0.0.1')",
        'SELECT U&"\\0064blink_connect"($$host=prod$$)',
        "CREATE FUNCTION f(text) RETURNS text LANGUAGE c AS '$libdir/dblink', 'dblink_connect'",
        "CREATE OPERATOR ### (PROCEDURE = dblink_connect, RIGHTARG = text)",
        "CREATE AGGREGATE a(text) (SFUNC = public.dblink_connect, STYPE = text)",
        "DO $$ BEGIN ALTER FUNCTION dblink_connect(text) RENAME TO f; END $$",
    ],
)
def test_where_nothing_keeps_the_server_it_is_refused(sql: str) -> None:
    with pytest.raises(PgPatternsError, match="was not run"):
        run(sql, fenced=False)
    assert run(sql) == sql


def test_the_life_of_a_subscription(any_database) -> None:
    """Up and down on a real server, which reaches nobody."""
    statements = [
        "CREATE SUBSCRIPTION s CONNECTION 'host=prod.invalid dbname=d' PUBLICATION p",
        "ALTER SUBSCRIPTION s ENABLE",
        "ALTER SUBSCRIPTION s ADD PUBLICATION q WITH (copy_data = false)",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION s CONNECTION 'host=other.invalid dbname=d'",
        "DROP SUBSCRIPTION s",
    ]
    with any_database.server.connect(any_database.name) as connection:
        assert isinstance(connection, psycopg.Connection)
        for statement in statements:
            connection.execute(run(statement))
