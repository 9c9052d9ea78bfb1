"""What patterns of servers in use decide at their edges, on facts written by hand: no server is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.patterns.server.slow_statement import first_table
from alembic_pgpatterns.schema.live import (
    Age,
    HbaRule,
    LiveServer,
    Role,
    RoleSetting,
    ServerSetting,
    Sessions,
    StatementUsage,
)
from alembic_pgpatterns.schema.model import Name, Schema, Table, TableStatistics
from tests.patterns.handmade import ITEM, PARENT, column, foreign, index, table

pytestmark = pytest.mark.usefixtures("held_messages")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SERVER = LiveServer(180000, "shop", "app", since=NOW - timedelta(days=90), now=NOW, roles=(Role("app", owns=True),))


def found(name: str, server: LiveServer = SERVER, options: dict[str, Any] | None = None, **facts: Any) -> list[Finding]:
    settings = {key: ServerSetting(key, *value) for key, value in facts.pop("settings", {}).items()}
    cls: Any = registry()[name]
    pattern = cls(cls.Options(**(options or {})))
    return list(pattern.detect(replace(server, settings={**server.settings, **settings}, **facts)))


def texts(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.message} | {finding.remedy.text}" for finding in findings)  # type: ignore[union-attr]


def limits(most: int, *reserved: int) -> dict[str, tuple[str]]:
    names = ("superuser_reserved_connections", "reserved_connections")
    return {
        "max_connections": (str(most),),
        **{name: (str(value),) for name, value in zip(names, reserved, strict=False)},
    }


POOLS = {"pool_size": 5, "max_overflow": 5, "processes": 2}


@pytest.mark.parametrize(
    ("settings", "facts", "expected"),
    [
        (limits(20), {}, None),
        (limits(19), {}, "max_connections, without the reserved ones, allows 19"),
        (limits(23, 3), {}, None),
        (limits(23, 3, 1), {}, "allows 19"),
        (limits(100), {"database_limit": 19}, "the CONNECTION LIMIT of shop allows 19"),
        (limits(100), {"database_limit": 20}, None),
        (limits(100), {"database_limit": 0}, "allows 0"),
        (limits(100), {"roles": (Role("app", limit=0),)}, "the CONNECTION LIMIT of app allows 0"),
        (limits(100), {"roles": (Role("other", limit=0),)}, None),
        (limits(100), {"roles": (Role("app", limit=5),), "database_limit": 3}, "of shop allows 3"),
    ],
)
def test_pools(settings: Any, facts: dict[str, Any], expected: str | None) -> None:
    findings = found("connection-budget", options=POOLS, settings=settings, **facts)
    assert len(findings) == (expected is not None)
    assert expected is None or expected in texts(findings)


@pytest.mark.parametrize(("total", "expected"), [(80, 0), (81, 1), (100, 1)])
def test_connections_in_use(total: int, expected: int) -> None:
    options = {"pool_size": 0, "max_overflow": 0}
    assert (
        len(found("connection-budget", options=options, settings=limits(100), sessions=Sessions(total, 1))) == expected
    )
    assert found("connection-budget", options=options, settings={}, sessions=Sessions(total, 1)) == []


def with_rows(rows: float, dead: int = 0, *, scans: int = 0, read: int = 0, by_index: int = 0) -> Schema:
    names = {
        "rows": rows,
        "dead_rows": dead,
        "sequential_scans": scans,
        "sequential_rows": read,
        "index_scans": by_index,
    }
    fields = TableStatistics.__annotations__
    facts = {name: names.get(name, 0) for name in fields}
    return Schema("database", (table(column("id"), statistics=TableStatistics(**facts)),))


@pytest.mark.parametrize(
    ("rows", "dead", "expected"),
    [(7000, 3000, 0), (6999, 3001, 1), (-1, 3000, 1), (0, 1001, 1), (0, 1000, 0), (1, 1001, 1)],
)
def test_dead_rows(rows: float, dead: int, expected: int) -> None:
    assert len(found("dead-rows", schema=with_rows(rows, dead))) == expected


def test_what_holds_dead_rows() -> None:
    schema = with_rows(0, 5000)
    assert "autovacuum_vacuum_scale_factor" in texts(found("dead-rows", schema=schema, sessions=Sessions(1, 1, 3600.0)))
    held = texts(found("dead-rows", schema=schema, slots=("a", "b"), sessions=Sessions(1, 1, 9 * 3600.0)))
    assert "back: a, b. A transaction has been open for 9 h and holds rows back." in held
    assert "scale_factor" not in held
    assert found("dead-rows", schema=None) == found("missing-index-by-scans", schema=None) == []


@pytest.mark.parametrize(
    ("rows", "scans", "read", "by_index", "expected"),
    [
        (10_000, 1000, 5_010_000, 999, 1),
        (9999, 1000, 9_990_000, 0, 0),
        (10_000, 999, 9_990_000, 0, 0),
        (10_000, 1000, 5_000_000, 0, 0),
        (10_000, 1000, 4_000_000, 0, 0),
        (10_000, 1000, 10_000_000, 1000, 0),
    ],
)
def test_tables_read_whole(rows: float, scans: int, read: int, by_index: int, expected: int) -> None:
    schema = with_rows(rows, scans=scans, read=read, by_index=by_index)
    findings = found("missing-index-by-scans", schema=schema)
    assert len(findings) == expected
    assert not findings or "Find the statements" in texts(findings)
    slow = StatementUsage(f"SELECT  id FROM item WHERE id IN ({'1, ' * 200}1)", 1, 1.0, 1.0, 1)
    other = StatementUsage("SELECT 1 FROM other", 1, 1.0, 1.0, 1)
    explained = texts(found("missing-index-by-scans", schema=schema, statements=(other, slow)))
    assert not findings or explained.rpartition("time: ")[2].startswith("SELECT id FROM item")


def test_wraparound() -> None:
    usual = {"autovacuum_freeze_max_age": ("400000000",)}

    def aged(transactions: int, multixacts: int = 0, name: str = "shop", **facts: Any) -> list[Finding]:
        return found("wraparound", settings=usual, ages=(Age(name, transactions, multixacts),), **facts)

    assert aged(600_000_000) == [] and len(aged(600_000_001)) == 1
    assert found("wraparound", ages=(Age("shop", 500_000_000, 0),)) == []
    assert len(found("wraparound", ages=(Age("shop", 500_000_001, 0),))) == 1
    assert "700000000 transactions" in texts(aged(700_000_000, 700_000_000))
    assert "700000001 multixacts" in texts(aged(700_000_000, 700_000_001))
    assert [str(aged(age)[0].severity) for age in (1_500_000_000, 1_500_000_001)] == ["warning", "error"]
    oldest = tuple(Age(f"public.{name}", 9, 9, Name("public", name)) for name in "abcd")
    assert "(FREEZE) public.a, public.b, public.c; end" in texts(aged(700_000_000, table_ages=oldest))
    assert "the oldest tables of other" in texts(aged(700_000_000, name="other", table_ages=oldest))
    assert texts(aged(700_000_000, slots=("a", "b"))).endswith("hold it back: a, b.")


def memory(needed: str, **settings: Any) -> list[Finding]:
    usual = {"max_connections": ("10",), "shared_buffers": ("1024", "8kB"), "work_mem": ("1024", "kB")}
    usual |= {"hash_mem_multiplier": ("2.0",), "effective_cache_size": (needed, "kB", "configuration file")}
    return found("work-mem-budget", settings={**usual, **settings})


def test_memory() -> None:
    assert memory("28672") == [] and len(memory("28671")) == 1
    assert (
        len(memory("18431", hash_mem_multiplier=("0.5",))) == 1 and memory("18432", hash_mem_multiplier=("0.5",)) == []
    )
    assert memory("18432", hash_mem_multiplier=("",)) == []
    assert "At most 0.0 MB" in texts(memory("8000")) and "At most 0.5 MB" in texts(memory("18432"))
    assert len(memory("100", max_connections=("0",))) == 1
    cls: Any = registry()["work-mem-budget"]
    assert "effective_cache_size" in cls().cannot_tell(replace(SERVER, settings={}))
    assert cls(cls.Options(memory=1)).cannot_tell(SERVER) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1 FROM item", ITEM),
        ("SELECT 1 FROM gone JOIN item ON true", ITEM),
        ("SELECT 1 FROM public.item", ITEM),
        ("SELECT 1 FROM app.item", None),
        ("UPDATE item SET id = 1", ITEM),
        ("INSERT INTO far VALUES (1)", Name("app", "far")),
        ("SELECT 1 FROM twice", None),
        ("SELECT 1", None),
        ("VACUUM item", None),
        ("", None),
        ("SELECT FROM WHERE", None),
    ],
)
def test_the_table_of_a_statement(query: str, expected: Name | None) -> None:
    names = (ITEM, Name("app", "far"), Name("app", "twice"), Name("old", "twice"))
    schema = Schema("database", tuple(table(column("id", table=name), name=name) for name in names))
    assert first_table(query, schema) == expected


def test_slow_statements() -> None:
    schema = with_rows(10)
    long = f"SELECT {', '.join(f'id AS id_{number}' for number in range(40))} FROM item"
    usages = (
        StatementUsage("SELECT 1 FROM item", 9, 500.0, 10.0, 1),
        StatementUsage("SELECT 2 FROM item", 10, 100.0, 10.0, 1),
        StatementUsage("SELECT 3 FROM nowhere", 10, 500.0, 10.0, 1),
        StatementUsage(long, 10, 101.0, 60.0, 1),
        StatementUsage("SELECT 4 FROM item", 11, 300.0, 10.0, 1),
    )
    findings = found("slow-statement", schema=schema, statements=usages)
    assert ["(60% of all" in finding.message for finding in findings] == [True, False]
    assert [finding.message.endswith("…") for finding in findings] == [True, False]
    assert found("slow-statement", schema=None, statements=usages) == found("slow-statement", schema=schema) == []
    nothing = (StatementUsage("SELECT 1 FROM item", 10, 500.0, 0.0, 1),)
    assert "(0% of all" in texts(found("slow-statement", schema=schema, statements=nothing))


def test_trust() -> None:
    def rule(
        type_: str = "host", databases: tuple[str, ...] = ("all",), address: str = "", method: str = "trust"
    ) -> HbaRule:
        return HbaRule(7, type_, databases, ("a", "b"), address, "", method)

    def severities(*rules: HbaRule) -> list[str]:
        return [str(finding.severity) for finding in found("trust-authentication", hba=rules)]

    assert severities(rule("local"), rule(address="127.0.0.1/32"), rule(address="::1/128")) == ["warning"] * 3
    assert (
        severities(rule(address="10.0.0.0/8"), rule(address="all"), rule("hostssl", address="samenet")) == ["error"] * 3
    )
    assert severities(rule(databases=("replication",)), rule(method="md5")) == []
    assert severities(rule("local", ("replication", "shop"))) == ["warning"]
    assert found("trust-authentication", hba=None) == []


BIG = {"scans": 0, "size": 1024 * 1024}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, 1),
        ({"scans": 1}, 0),
        ({"scans": None}, 0),
        ({"size": 1024 * 1024 - 1}, 0),
        ({"size": None}, 0),
        ({"unique": True}, 0),
        ({"constraint": "c"}, 0),
        ({"replica_identity": True}, 0),
        ({"valid": False}, 0),
        ({"building": True}, 0),
        ({"parent": Name("public", "of_all")}, 0),
    ],
)
def test_indexes_that_nobody_uses(facts: dict[str, Any], expected: int) -> None:
    def used(item: Table, **more: Any) -> list[Finding]:
        return found("unused-index", schema=Schema("database", (item,)), **more)

    item = table(column("id"), column("x"), index("i", "x", "id", **{**BIG, **facts}))
    assert len(used(item)) == expected
    assert (
        used(replace(item, kind="materialized view")) == used(table(*item.columns, *item.indexes, foreign("x"))) == []
    )
    assert len(used(table(*item.columns, *item.indexes, foreign("id")))) == expected
    if expected:
        assert "Whether there are replicas could not be seen." in texts(used(item))
        assert texts(used(item, replicas=())).endswith("CONCURRENTLY public.i.")
        assert "First look on a, b:" in texts(used(item, replicas=("b", "a", "b")))
        assert "This server is a standby" in texts(used(item, recovery=True))
    assert found("unused-index", schema=None) == []


def test_how_old_statistics_are() -> None:
    cls: Any = registry()["unused-index"]
    young = replace(SERVER, since=NOW - timedelta(days=29, hours=12))
    assert "since 29.5 days, and must be 30 days old" in cls().cannot_tell(young)
    old = replace(SERVER, since=NOW - timedelta(days=30))
    assert cls().cannot_tell(old) is None
    assert cls().cannot_tell(replace(old, unread={"schema": "no"})) == "no"


ROLES = (
    Role("app", superuser=True),
    Role("owner", owns=True),
    Role("web", sessions=2),
    Role("idle"),
    Role("root", superuser=True, sessions=3, owns=True),
)


@pytest.mark.parametrize(
    ("pattern", "setting", "expected"),
    [
        ("no-lock-timeout", "lock_timeout", ["owner"]),
        ("no-statement-timeout", "statement_timeout", ["app", "owner", "web"]),
        ("no-idle-in-transaction-timeout", "idle_in_transaction_session_timeout", ["app", "owner", "web"]),
    ],
)
def test_roles_without_a_limit(pattern: str, setting: str, expected: list[str]) -> None:
    def names(**facts: Any) -> list[str]:
        findings = found(pattern, replace(SERVER, roles=ROLES), **facts)
        return [finding.object.removeprefix("role ") for finding in findings]

    none = {setting: ("0", "ms")}
    assert names(settings=none) == expected
    assert names(settings={setting: ("5000", "ms")}) == []
    own = (RoleSetting("owner", "shop", setting, "5s"), RoleSetting("web", None, setting, "0"))
    assert names(settings=none, role_settings=own) == [name for name in expected if name != "owner"]
    odd = (RoleSetting("owner", "shop", setting, "0"), RoleSetting("owner", "other", setting, "it's"))
    (finding,) = [
        item
        for item in found(pattern, replace(SERVER, roles=ROLES), settings=none, role_settings=odd)
        if "owner" in item.object
    ]
    assert finding.remedy.down == (f"ALTER ROLE owner IN DATABASE shop SET {setting} = '0'",)  # type: ignore[union-attr]
    if "idle" in pattern:
        assert names(settings={**none, "transaction_timeout": ("0", "ms")}) == expected
        assert names(settings={**none, "transaction_timeout": ("1000", "ms")}) == []


def test_partitions_read_their_own_rows() -> None:
    schema = with_rows(10_000, scans=1000, read=10_000_000)
    part = replace(schema.tables[0], partition_of=PARENT)
    assert len(found("missing-index-by-scans", schema=replace(schema, tables=(part,)))) == 1
