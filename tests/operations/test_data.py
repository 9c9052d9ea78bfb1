"""Backfill and upsert."""

from __future__ import annotations

import datetime
import io
import sys
import threading
import time

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill
from alembic_pgpatterns.errors import PgPatternsError

DRIVERS = ("psycopg", "psycopg2", "asyncpg", "psycopg_async")

KEYS = {
    "composite": ("a int, b text, PRIMARY KEY (b, a)", "i % 7, 'x' || i"),
    "uuid": ('"I:d %" uuid PRIMARY KEY', "md5(i::text)::uuid"),
    "text": ("id text PRIMARY KEY", "md5(i::text)"),
    "timestamp": ("at timestamptz(6) PRIMARY KEY", "'2025-01-01'::timestamptz + i * interval '0.000123 s'"),
    "float": ("f float8 PRIMARY KEY", "1.0 / i"),
    "bigint": ("id bigint PRIMARY KEY", "9223372036854775807 - i"),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("driver", DRIVERS)
def test_keys_of_every_type(lab, driver):
    for name, (columns, values) in KEYS.items():
        lab.database.execute(f'CREATE TABLE "t {name}" ({columns}, n int, "v:%" text)')
        lab.database.execute(f'INSERT INTO "t {name}" SELECT {values}, i FROM generate_series(1, 105) i')
        fill = lambda op, name=name: op.backfill(  # noqa: E731
            f"t {name}", {"v:%": "it's :x 5%"}, "\"v:%\" IS NULL AND ':y' = ':y'", 10
        )
        assert lab.upgrade(fill, driver) == 105
        assert lab.upgrade(fill, driver) == 0
        assert lab.query(f'SELECT count(*), min("v:%") FROM "t {name}"') == [(105, "it's :x 5%")]


def test_a_backfill_that_is_killed_goes_on_where_it_stopped(any_lab):
    any_lab.database.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i;
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END $$;
        CREATE TRIGGER die BEFORE UPDATE ON t FOR EACH ROW WHEN (new.id = 55) EXECUTE FUNCTION die();
        """
    )
    fill = lambda op: op.backfill("t", {"b": sa.text("a + 1")}, "b IS NULL", 10)  # noqa: E731
    with pytest.raises((PgPatternsError, DBAPIError)):
        any_lab.upgrade(fill)
    assert any_lab.query("SELECT count(b) FROM t") == [(50,)]
    any_lab.database.execute("DROP TRIGGER die ON t")
    assert any_lab.upgrade(fill) == 50
    assert any_lab.query("SELECT count(*) FROM t WHERE b = a + 1") == [(100,)]


def test_a_batch_that_loses_against_a_writer_is_tried_again(lab):
    lab.database.execute("CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t SELECT generate_series(1, 30)")
    lab.database.execute(f"ALTER DATABASE {lab.database.name} SET lock_timeout = '100ms'")
    with lab.database.connect() as other:
        other.execute("BEGIN; UPDATE t SET b = 7 WHERE id = 15")
        threading.Timer(0.4, lambda: other.execute("COMMIT")).start()
        assert lab.upgrade(lambda op: op.backfill("t", {"b": 1}, "b IS NULL", 10)) == 29
    assert lab.query("SELECT b FROM t WHERE id = 15") == [(7,)]


def test_rows_that_are_added_meanwhile_are_found(lab):
    lab.database.execute(
        """
        CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t SELECT generate_series(1, 30);
        CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO t VALUES (-1) ON CONFLICT DO NOTHING; RETURN new; END $$;
        CREATE TRIGGER more BEFORE UPDATE ON t FOR EACH ROW WHEN (new.id = 25) EXECUTE FUNCTION more();
        """
    )
    assert lab.upgrade(lambda op: op.backfill("t", {"b": 1}, sa.column("b").is_(None), 10)) == 31


def test_a_partitioned_table_and_a_key_of_choice(any_lab):
    any_lab.database.execute(
        "CREATE TABLE p (k int NOT NULL, n int NOT NULL, b int, UNIQUE (n, k)) PARTITION BY LIST (k);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);"
        "INSERT INTO p SELECT i % 2 + 1, i FROM generate_series(1, 50) i"
    )
    with pytest.raises(PgPatternsError, match="has no primary key"):
        any_lab.upgrade(lambda op: op.backfill("p", {"b": 1}, "b IS NULL"))
    with pytest.raises(PgPatternsError, match=r"no unique index on NOT NULL columns \(n\)"):
        any_lab.upgrade(lambda op: op.backfill("p", {"b": 1}, "b IS NULL", key=["n"]))
    assert any_lab.upgrade(lambda op: op.backfill("p", {"b": 1}, "b IS NULL", 7, key=["n", "k"])) == 50


def test_a_condition_that_is_never_done_is_an_error(lab):
    lab.database.execute("CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t SELECT generate_series(1, 30)")
    with pytest.raises(PgPatternsError, match="still satisfy"):
        lab.upgrade(lambda op: op.backfill("t", {"b": 1}, "id > 0", 10))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(lab, monkeypatch):
    lab.database.execute("CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t SELECT generate_series(1, 30)")
    for stream, shown in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        lab.database.execute("UPDATE t SET b = NULL; ANALYZE t")
        assert lab.upgrade(lambda op: op.backfill("t", {"b": 1}, "b IS NULL", 10)) == 30
        assert ("backfill of public.t" in stream.getvalue()) is shown


def test_a_rate_is_kept(lab):
    lab.database.execute("CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t SELECT generate_series(1, 30)")
    begun = time.monotonic()
    lab.upgrade(lambda op: op.backfill("t", {"b": 1}, "b IS NULL", 10, rate=100))
    assert time.monotonic() - begun >= 0.25


@pytest.mark.sample(3)
@pytest.mark.parametrize("driver", DRIVERS)
def test_upsert(lab, driver):
    lab.database.execute(
        'CREATE TABLE t ("Co:de" text UNIQUE, n bigint, at timestamptz, d jsonb, tags text[], u uuid, note text)'
    )
    at = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    rows = [
        {"Co:de": f"c'; {i} %s", "n": 2**40 + i, "at": at, "d": {"a": [i]}, "tags": ["x", str(i)], "note": None}
        for i in range(2500)
    ]
    lab.upgrade(lambda op: op.upsert("t", rows, ["Co:de"]), driver)
    lab.upgrade(lambda op: op.upsert("t", [rows[0] | {"n": 1, "note": "z"}], ["Co:de"], update=["note"]), driver)
    lab.upgrade(lambda op: op.upsert("t", [rows[1] | {"n": 1}], ["Co:de"], update=[]), driver)
    assert lab.query("SELECT count(*), min(n), max(note), count(DISTINCT d) FROM t") == [(2500, 2**40, "z", 2500)]


def test_upsert_says_what_is_wrong(any_lab):
    any_lab.database.execute("CREATE TABLE t (a int UNIQUE NOT NULL, b int); CREATE UNIQUE INDEX ON t (b) WHERE a > 0")
    with pytest.raises(PgPatternsError, match=r"public\.t has no unique index on exactly b \(it has: a\)"):
        any_lab.upgrade(lambda op: op.upsert("t", [{"a": 1, "b": 1}], ["b"]))
    with pytest.raises(PgPatternsError, match="two rows have the same a"):
        any_lab.upgrade(lambda op: op.upsert("t", [{"a": 1}, {"a": 1}], ["a"]))
    with pytest.raises(PgPatternsError, match="different columns"):
        any_lab.upgrade(lambda op: op.upsert("t", [{"a": 1}, {"b": 1}], ["a"]))
    with pytest.raises(PgPatternsError, match="the rows have no c"):
        any_lab.upgrade(lambda op: op.upsert("t", [{"a": 1}], ["a"], update=["c"]))
    with pytest.raises(PgPatternsError, match="has no column c; it has a, b"):
        any_lab.upgrade(lambda op: op.upsert("t", [{"a": 1, "c": 1}], ["a"]))
    with pytest.raises(PgPatternsError, match="has no column c"):
        any_lab.upgrade(lambda op: op.backfill("t", {"c": 1}, "c IS NULL", key=["a"]))
    with pytest.raises(PgPatternsError, match="--sql"):
        any_lab.sql(lambda op: op.upsert("t", [{"a": [1]}], ["a"]))


def test_an_identity_goes_on_counting(any_lab):
    any_lab.database.execute("CREATE TABLE t (id serial PRIMARY KEY, a int)")
    any_lab.database.execute("INSERT INTO t (a) SELECT generate_series(1, 9)")
    any_lab.upgrade(lambda op: op.convert_serial_to_identity("t", "id", always=True))
    any_lab.upgrade(lambda op: op.convert_serial_to_identity("t", "id"))
    assert any_lab.query("INSERT INTO t (a) VALUES (1) RETURNING id") == [(10,)]
    any_lab.upgrade(lambda op: op.convert_identity_to_serial("t", "id"))
    assert any_lab.query("INSERT INTO t (a) VALUES (1) RETURNING id") == [(11,)]
    with pytest.raises(DBAPIError, match="is not a serial"):
        any_lab.upgrade(lambda op: op.convert_serial_to_identity("t", "a"))


HIDDEN = """
    CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 9) i;
    ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (id = 5);
    DO $$ BEGIN CREATE ROLE hidden_owner; EXCEPTION WHEN duplicate_object THEN END $$;
    ALTER TABLE t OWNER TO hidden_owner; GRANT CREATE ON SCHEMA public TO hidden_owner;
"""


def test_rows_that_a_policy_hides_are_not_left_out_in_silence(any_lab):
    any_lab.database.execute(HIDDEN)

    def as_owner(op) -> int:
        op.execute("SET ROLE hidden_owner")
        return op.backfill("t", {"b": sa.text("a")}, "b IS NULL")

    with pytest.raises((PgPatternsError, DBAPIError), match="row security hides rows from the role hidden_owner"):
        any_lab.upgrade(as_owner)
    assert any_lab.upgrade(lambda op: op.backfill("t", {"b": sa.text("a")}, "b IS NULL")) == 9


def test_the_block_that_fills_a_column_refuses_hidden_rows(any_database):
    any_database.execute(HIDDEN)
    block = backfill(None, "t", "b", "a")
    with any_database.connect() as connection:
        connection.execute("SET ROLE hidden_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security policy"):
            connection.execute(block)
    with any_database.connect() as connection:
        connection.execute(block)
        assert connection.execute("SELECT count(b), current_setting('row_security') FROM t").fetchone() == (9, "on")
