"""Patterns of a server in use: on real servers where a state can be made, else on what the reader would say of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alembic_pgpatterns.checks import live_connection as live
from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity, registry
from alembic_pgpatterns.schema.live import (
    Age,
    HbaRule,
    LiveServer,
    Recording,
    Role,
    RoleSetting,
    ServerSetting,
    Sessions,
    StatementUsage,
    is_zero,
)
from alembic_pgpatterns.schema.model import Index, IndexKey, Name, Schema, Table, TableStatistics

pytestmark = pytest.mark.usefixtures("held_messages")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SERVER = LiveServer(180000, "shop", "app", since=NOW - timedelta(days=90), now=NOW, roles=(Role("app", owns=True),))


def findings(pattern: str, server: LiveServer, **options: Any) -> list[Finding]:
    cls = registry()[pattern]
    assert issubclass(cls, ServerPattern)
    made = cls(cls.Options(**options))
    assert made.cannot_tell(server) is None
    return list(made.detect(server))


def skipped(pattern: str, server: LiveServer) -> str | None:
    cls = registry()[pattern]
    assert issubclass(cls, ServerPattern)
    return cls().cannot_tell(server)


def with_settings(**values: tuple[str, str, str]) -> LiveServer:
    return replace(SERVER, settings={name: ServerSetting(name, *value) for name, value in values.items()})


def read(database: Any) -> LiveServer:
    return live.read(database.server.parameters(database.name), ()).server


def test_dead_rows(any_database: Any) -> None:
    any_database.execute("CREATE TABLE book (id bigint)")
    any_database.execute("INSERT INTO book SELECT generate_series(1, 6000)")
    any_database.execute("ANALYZE book")
    assert findings("dead-rows", read(any_database)) == []
    any_database.execute("DELETE FROM book WHERE id <= 4000")
    any_database.execute("ANALYZE book")
    (found,) = findings("dead-rows", read(any_database))
    assert found.fingerprint == "dead-rows public.book"
    assert "4000 rows of book are dead (67%)" in found.message
    assert findings("dead-rows", read(any_database), rows=4000) == []
    any_database.execute("ALTER TABLE book SET (autovacuum_enabled = no)")
    (found,) = findings("dead-rows", read(any_database))
    assert "Its autovacuum_enabled is off." in str(found.remedy)


def test_index_that_nobody_uses(any_database: Any) -> None:
    any_database.execute(
        """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author, a int, b int UNIQUE, c int);
        CREATE INDEX idle ON book (a);
        CREATE INDEX busy ON book (c);
        CREATE INDEX for_the_key ON book (author_id);
        INSERT INTO book SELECT n, NULL, n, n, n FROM generate_series(1, 1000) n;
        """
    )
    any_database.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT FROM book WHERE c = 3")
    server = read(any_database)
    assert "must be 30 days old" in str(skipped("unused-index", server))
    old = replace(server, now=NOW, since=NOW - timedelta(days=31))
    assert [found.object for found in findings("unused-index", old, size=1)] == ["public.idle"]
    assert findings("unused-index", old) == []
    (found,) = findings("unused-index", replace(old, replicas=("eu", "us")), size=1)
    assert "eu, us" in found.remedy.text


def test_tables_read_whole() -> None:
    def server(**changes: float) -> LiveServer:
        facts = TableStatistics(20_000, 0, 0, 1, 5000, 10, 5000 * 20_000)
        table = Table(Name("public", "book"), statistics=replace(facts, **changes))
        slow = StatementUsage("SELECT * FROM book WHERE title = $1", 5000, 20.0, 100_000.0, 5)
        return replace(SERVER, schema=Schema("database", (table,)), statements=(slow,))

    (found,) = findings("missing-index-by-scans", server())
    assert "title = $1" in found.remedy.text
    assert findings("missing-index-by-scans", server(index_scans=5001)) == []
    assert findings("missing-index-by-scans", server(rows=9000.0)) == []
    assert findings("missing-index-by-scans", server(sequential_rows=5000 * 100)) == []


def test_slow_statements() -> None:
    tables = (Table(Name("public", "book")), Table(Name("sales", "Order")))
    statements = (
        StatementUsage('SELECT count(*) FROM sales."Order" WHERE x = $1', 100, 250.0, 25_000.0, 100),
        StatementUsage("SELECT * FROM book", 9, 900.0, 8100.0, 9),
        StatementUsage("SELECT * FROM book WHERE id = $1", 1_000_000, 0.1, 100_000.0, 1),
        StatementUsage("COPY book TO stdout", 100, 900.0, 90_000.0, 1),
        StatementUsage("SELECT * FROM elsewhere", 100, 900.0, 90_000.0, 1),
        StatementUsage("this cannot be read", 100, 900.0, 90_000.0, 1),
    )
    server = replace(SERVER, schema=Schema("database", tables), statements=statements)
    (found,) = findings("slow-statement", server)
    assert found.table == Name("sales", "Order")
    assert "250 ms on average in 100 calls" in found.message
    assert len(findings("slow-statement", server, calls=9)) == 2
    hidden = replace(server, unread={"statements": "permission denied"})
    assert skipped("slow-statement", hidden) == "permission denied"


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (Recording(True, True), None),
        (Recording(True, None), None),
        (Recording(True, False), "library is not loaded"),
        (Recording(False, True), "its view is not in shop"),
        (Recording(False, None), "not installed"),
    ],
)
def test_whether_statements_are_recorded(recording: Recording, said: str | None) -> None:
    found = findings("statements-not-recorded", replace(SERVER, recording=recording))
    assert [said in finding.message for finding in found] == ([True] if said else [])


def test_statements_are_really_read(any_database: Any) -> None:
    """Installed without its library: the server says so only when it is asked for a row."""
    available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_stat_statements'"
    with any_database.connect() as connection:
        if connection.execute(available).fetchone() == (0,):
            pytest.skip("this PostgreSQL comes without pg_stat_statements")
        connection.execute("CREATE EXTENSION pg_stat_statements")
    server = read(any_database)
    assert server.recording == Recording(True, False)
    assert len(findings("statements-not-recorded", server)) == 1
    assert "not loaded" in str(skipped("slow-statement", server))


def test_connections() -> None:
    server = with_settings(
        max_connections=("100", "", "default"),
        superuser_reserved_connections=("3", "", "default"),
        reserved_connections=("0", "", "default"),
    )
    assert findings("connection-budget", server) == []
    assert findings("connection-budget", server, processes=6) == []
    (found,) = findings("connection-budget", server, processes=7)
    assert "may open 105, but max_connections, without the reserved ones, allows 97" in found.message
    limited = replace(server, database_limit=50, roles=(Role("app", limit=40),))
    assert "CONNECTION LIMIT of app allows 40" in findings("connection-budget", limited, processes=3)[0].message
    assert [f.fingerprint for f in findings("connection-budget", replace(server, sessions=Sessions(90, 1)))] == [
        "connection-budget database shop in use"
    ]


def test_memory() -> None:
    sizes = {
        "max_connections": ("200", "", "default"),
        "work_mem": ("65536", "kB", "configuration file"),
        "hash_mem_multiplier": ("2", "", "default"),
        "shared_buffers": ("131072", "8kB", "configuration file"),
        "effective_cache_size": ("524288", "8kB", "default"),
    }
    server = with_settings(**sizes)
    assert "is not known" in str(skipped("work-mem-budget", server))
    known = with_settings(**{**sizes, "effective_cache_size": ("524288", "8kB", "configuration file")})
    (found,) = findings("work-mem-budget", known)
    assert "may need 26624 MB, but there are 4096 MB" in found.message
    modest = with_settings(**{**sizes, "work_mem": ("4096", "kB", "default")})
    assert findings("work-mem-budget", modest, memory=8192) == []


def test_wraparound() -> None:
    freeze = ServerSetting("autovacuum_freeze_max_age", "200000000")
    ages = (Age("shop", 600_000_000, 5), Age("template0", 1, 1_600_000_000), Age("other", 499_000_000, 0))
    found = findings("wraparound", replace(SERVER, ages=ages, settings={freeze.name: freeze}))
    assert [(f.object, f.severity) for f in found] == [
        ("database shop", Severity.WARNING),
        ("database template0", Severity.ERROR),
    ]
    patient = ServerSetting("autovacuum_freeze_max_age", "1000000000")
    assert len(findings("wraparound", replace(SERVER, ages=ages, settings={patient.name: patient}))) == 1


def test_trust() -> None:
    rules = (
        HbaRule(1, "local", ("all",), ("all",), "", "", "trust"),
        HbaRule(2, "host", ("all",), ("all",), "127.0.0.1", "255.255.255.255", "trust"),
        HbaRule(3, "hostssl", ("all",), ("app",), "10.0.0.0", "255.0.0.0", "trust"),
        HbaRule(4, "host", ("all",), ("all",), "10.0.0.0", "255.0.0.0", "scram-sha-256"),
    )
    found = findings("trust-authentication", replace(SERVER, hba=rules))
    assert [f.severity for f in found] == [Severity.WARNING, Severity.WARNING, Severity.ERROR]


def test_the_nearest_setting_wins() -> None:
    def server(*given: RoleSetting) -> LiveServer:
        return replace(SERVER, role_settings=given)

    everywhere = RoleSetting(None, "shop", "statement_timeout", "30s")
    role = RoleSetting("app", None, "statement_timeout", "0")
    here = RoleSetting("app", "shop", "statement_timeout", "1min")
    assert len(findings("no-statement-timeout", server())) == 1
    assert findings("no-statement-timeout", server(everywhere)) == []
    assert len(findings("no-statement-timeout", server(everywhere, role))) == 1
    assert findings("no-statement-timeout", server(everywhere, role, here)) == []
    assert len(findings("no-statement-timeout", server(RoleSetting("app", "other", "statement_timeout", "9s")))) == 1


def test_durations() -> None:
    assert all(map(is_zero, ("0", "0ms", "")))
    assert not any(map(is_zero, ("30s", "1.5 min", "250")))


def test_superusers_and_idle_roles_do_not_count() -> None:
    superuser = Role("postgres", superuser=True, sessions=3, owns=True)
    roles = (superuser, Role("idle"), Role("web", sessions=1), Role("app"))
    found = findings("no-statement-timeout", replace(SERVER, roles=roles))
    assert [f.object for f in found] == ["role web", "role app"]


def test_an_index_of_a_key_by_another_order_counts() -> None:
    key = (IndexKey("b"), IndexKey("a"))
    index = Index(Name("public", "i"), Name("public", "t"), "btree", key, scans=0, size=1 << 30)
    table = Table(Name("public", "t"), indexes=(index,))
    server = replace(SERVER, schema=Schema("database", (table,)), replicas=())
    assert len(findings("unused-index", server)) == 1
    unique = replace(table, indexes=(replace(index, unique=True),))
    assert findings("unused-index", replace(server, schema=Schema("database", (unique,)))) == []
