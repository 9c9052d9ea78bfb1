"""Behaviour is the judge: which scan the trigger's own query used when a row of the parent was deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from alembic_pgpatterns.patterns import Severity
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.schema.catalog import reader as catalog

pytestmark = pytest.mark.usefixtures("held_messages")

PARENT = """
    CREATE EXTENSION btree_gist;
    CREATE EXTENSION btree_gin;
    CREATE TABLE parent (
        id bigint PRIMARY KEY, a int, b int, code numeric UNIQUE, name text UNIQUE, UNIQUE (a, b)
    );
    INSERT INTO parent SELECT n, n % 50, n / 50, n, 'n' || n FROM generate_series(1, 1000) n;
"""

CHILD = """
    id bigint, parent_id bigint, a int, b int, code bigint, name text, tail varchar(20), alive boolean, filler text
"""

ROWS = """
    INSERT INTO {0} SELECT n, p, p % 50, p / 50, p, 'n' || p, 'n' || p, n % 2 = 0, repeat('x', 100)
    FROM (SELECT n, 1 + (n * 7919) % 999 AS p FROM generate_series(1, 10000) n) numbered
"""
"""Of each parent but the last, scattered over the table, so that BRIN finds no order."""

FEW_BLOCKS = 16
"""More than a descent in any of the access methods takes; the smallest of the indexes has more than twice as many."""

ON_ID = "FOREIGN KEY (parent_id) REFERENCES parent"
ON_PAIR = "FOREIGN KEY (a, b) REFERENCES parent (a, b)"
ON_NAME = "FOREIGN KEY (name) REFERENCES parent (name)"
ON_CODE = "FOREIGN KEY (code) REFERENCES parent (code)"
ON_TAIL = "FOREIGN KEY (tail) REFERENCES parent (name)"

SHAPES = {
    "bare": (ON_ID, []),
    "plain": (ON_ID, ["(parent_id)"]),
    "descending": (ON_ID, ["(parent_id DESC NULLS LAST)"]),
    "first_of_two": (ON_ID, ["(parent_id, id)"]),
    "second": (ON_ID, ["(id, parent_id)"]),
    "included": (ON_ID, ["(id) INCLUDE (parent_id)"]),
    "expression": (ON_ID, ["((parent_id + 0))"]),
    "hashed": (ON_ID, ["USING hash (parent_id)"]),
    "gist": (ON_ID, ["USING gist (parent_id)"]),
    "gin": (ON_ID, ["USING gin (parent_id)"]),
    "brin": (ON_ID, ["USING brin (parent_id)"]),
    "partial": (ON_ID, ["(parent_id) WHERE alive"]),
    "not_null": (ON_ID, ["(parent_id) WHERE parent_id IS NOT NULL"]),
    "not_null_too": (ON_ID, ["(parent_id) WHERE parent_id IS NOT NULL AND id IS NOT NULL"]),
    "cascading": (f"{ON_ID} ON DELETE CASCADE", ["(parent_id)"]),
    "cascading_bare": (f"{ON_ID} ON DELETE CASCADE", ["(id)"]),
    "nulling": (f"{ON_ID} ON DELETE SET NULL", ["(parent_id)"]),
    "pair": (ON_PAIR, ["(a, b)"]),
    "pair_swapped": (ON_PAIR, ["(b, a, id)"]),
    "pair_not_null": (ON_PAIR, ["(a, b) WHERE b IS NOT NULL AND a IS NOT NULL"]),
    "pair_behind": (ON_PAIR, ["(id, a, b)"]),
    "pair_gapped": (ON_PAIR, ["(b, id, a)"]),
    "pair_prefix": (ON_PAIR, ["(b)"]),
    "text": (ON_NAME, ["(name)"]),
    "text_patterns": (ON_NAME, ["(name text_pattern_ops)"]),
    "text_spgist": (ON_NAME, ["USING spgist (name)"]),
    "text_collated": (ON_NAME, ['(name COLLATE "POSIX")']),
    "text_hash_collated": (ON_NAME, ['USING hash (name COLLATE "POSIX")']),
    "varchar_to_text": (ON_TAIL, ["(tail)"]),
    "bigint_to_numeric": (ON_CODE, ["(code)"]),
}  # fmt: skip

SPLIT = f"""
    CREATE TABLE {{0}} ({CHILD}) PARTITION BY HASH (id);
    CREATE TABLE {{0}}_0 PARTITION OF {{0}} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE {{0}}_1 PARTITION OF {{0}} FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"""

SPLITS = {
    "split_bare": [],
    "split_whole": ["split_whole (parent_id)"],
    "split_each": ["split_each_0 (parent_id)", "split_each_1 USING hash (parent_id)"],
    "split_half": ["split_half_0 (parent_id)"],
    "split_only": ["ONLY split_only (parent_id)"],
}


@pytest.mark.sample(2)
def test_the_trigger_scans_as_the_pattern_says(any_database: Any) -> None:
    with any_database.connect() as connection:
        if not has_contrib(connection):
            pytest.skip("this server comes without btree_gist, btree_gin and auto_explain")
        build(connection)
        plans = plans_of(connection, "DELETE FROM parent WHERE id = 1000")
        said = findings(connection)
    plans.pop("parent", None)
    assert plans.keys() == {*SHAPES, *SPLITS}
    for name, plan in plans.items():
        columns = foreign_columns(SHAPES[name][0] if name in SHAPES else ON_ID)
        served, scanned = is_served(plan, columns), "Seq Scan" in nodes(plan, "Node Type")
        verdict = said.get(name)
        explained = f"{name}: said {verdict}, {json.dumps(plan, indent=1)}"
        if verdict is Severity.INFO:
            assert not scanned, explained
        else:
            assert served is (verdict is None), explained
            assert not (scanned and verdict is None), explained


def test_temporal_and_unenforced_keys(database: Any) -> None:
    """PostgreSQL 18: the look-up of a temporal key needs GiST; a key that is not enforced makes none."""
    with database.connect() as connection:
        connection.execute("""
            CREATE EXTENSION btree_gist;
            CREATE TABLE rate (id bigint, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
            INSERT INTO rate SELECT n, '[2020-01-01,2030-01-01)' FROM generate_series(1, 1000) n;
        """)
        for name, index in (("bare", ""), ("gist", "USING gist (rate_id, during)"), ("btree", "(rate_id, during)")):
            connection.execute(f"""
                CREATE TABLE {name} (rate_id bigint, during daterange, filler text);
                INSERT INTO {name} SELECT 1 + (n * 7919) % 999, '[2021-01-01,2022-01-01)', repeat('x', 300)
                FROM generate_series(1, 5000) n;
                ALTER TABLE {name} ADD FOREIGN KEY (rate_id, PERIOD during) REFERENCES rate (id, PERIOD during);
            """)
            connection.execute(f"CREATE INDEX ON {name} {index}" if index else "SELECT 1")
        connection.execute("CREATE TABLE own (id bigint PRIMARY KEY)")
        connection.execute("CREATE TABLE unenforced (own_id bigint REFERENCES own NOT ENFORCED)")
        connection.execute("INSERT INTO own VALUES (1); ANALYZE")
        plans = plans_of(connection, "DELETE FROM rate WHERE id = 1000")
        unenforced = plans_of(connection, "DELETE FROM own WHERE id = 1")
        said = findings(connection)
    assert is_served(plans["gist"], {"rate_id", "during"})
    assert "Seq Scan" in nodes(plans["bare"], "Node Type")
    assert not any("during" in condition for condition in nodes(plans["btree"], "Index Cond"))
    assert said == {"bare": Severity.WARNING, "btree": Severity.INFO}
    assert "unenforced" not in unenforced


def has_contrib(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name LIKE 'btree_gi%'").fetchone()
    return found is not None and found[0] == 2


def build(connection: psycopg.Connection) -> None:
    connection.execute(PARENT)
    for name, (key, indexes) in SHAPES.items():
        connection.execute(f"CREATE TABLE {name} ({CHILD})")
        fill(connection, name, key, [f"{name} {index}" for index in indexes])
    for name, indexes in SPLITS.items():
        connection.execute(SPLIT.format(name))
        fill(connection, name, ON_ID, indexes)
    connection.execute("ANALYZE")


def fill(connection: psycopg.Connection, name: str, key: str, indexes: list[str]) -> None:
    connection.execute(ROWS.format(name))
    connection.execute(f"ALTER TABLE {name} ADD {key}")
    for index in indexes:
        connection.execute(f"CREATE INDEX ON {index}")


def plans_of(connection: psycopg.Connection, statement: str) -> dict[str, Any]:
    """The plans the triggers' queries ran with, by the referencing table; each query names one, or the parent again."""
    found: dict[str, Any] = {}

    def keep(diagnostic: psycopg.errors.Diagnostic) -> None:
        text = (diagnostic.message_primary or "").partition("plan:\n")[2]
        plan = json.loads(text) if text else {}
        about = re.search(r'(?:FROM|UPDATE) (?:ONLY )?"public"\."(\w+)" [xf]k?', plan.get("Query Text", ""))
        about = about or re.search(r'^(?:DELETE FROM|UPDATE) (?:ONLY )?"public"\."(\w+)"', plan.get("Query Text", ""))
        if about is not None:
            found[about[1]] = plan["Plan"]

    connection.execute("LOAD 'auto_explain'")
    for setting, value in (
        ("log_min_duration", "0"),
        ("log_nested_statements", "on"),
        ("log_format", "json"),
        ("log_analyze", "on"),
        ("log_buffers", "on"),
        ("log_level", "notice"),
    ):
        connection.execute(f"SET auto_explain.{setting} = '{value}'")
    connection.add_notice_handler(keep)
    connection.execute(statement)
    connection.remove_notice_handler(keep)
    connection.execute("SET auto_explain.log_min_duration = -1")
    return found


def findings(connection: psycopg.Connection) -> dict[str, Severity]:
    found = UnindexedForeignKey(target_version=18).detect(catalog.read(connection))
    return {finding.table.name: finding.severity for finding in found if finding.table is not None}


def foreign_columns(key: str) -> set[str]:
    return set(key.partition("(")[2].partition(")")[0].split(", "))


def is_served(plan: Any, columns: set[str]) -> bool:
    """Whether every scan goes by an index, by all columns of the key, and looks at a few of its blocks only."""
    conditions = nodes(plan, "Index Cond")
    complete = all(all(re.search(rf"\b{column}\b", condition) for column in columns) for condition in conditions)
    touched = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return bool(conditions) and complete and "Seq Scan" not in nodes(plan, "Node Type") and touched <= FEW_BLOCKS


def nodes(plan: Any, field: str) -> list[str]:
    return list(_nodes(plan, field))


def _nodes(plan: Any, field: str) -> Iterator[str]:
    if field in plan:
        yield plan[field]
    for inner in plan.get("Plans", ()):
        # An InitPlan looks at the parent.
        if inner["Parent Relationship"] != "InitPlan":
            yield from _nodes(inner, field)
