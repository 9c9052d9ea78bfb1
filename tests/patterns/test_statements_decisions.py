"""What patterns of statements decide, on statements written by hand: no application runs, no server is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.schema.model import Index, IndexKey, Name, Schema, Table, TableStatistics
from alembic_pgpatterns.schema.sql.parser import postgast
from alembic_pgpatterns.workload.literals import parsed
from alembic_pgpatterns.workload.model import EngineFacts, Recorded, Series, Site, Usage, Workload
from tests.patterns.handmade import ITEM, column, index, table

pytestmark = pytest.mark.usefixtures("held_messages")

SITE = Site("app.py", 7, "view")
TRIGRAMS = IndexKey("name", opclass=Name("public", "gin_trgm_ops"))
ITEMS = table(column("id"), column("name", "text"), column("code", "varchar"), index("on_name", TRIGRAMS, method="gin"))


def statement(text: str, *values: tuple[object, ...], series: Series | None = None, **facts: Any) -> Recorded:
    """One statement, sent from one line."""
    node = postgast.parse(text).stmts[0].stmt
    kind = (node.WhichOneof("node") or "").removesuffix("_stmt")
    usage = Usage(facts.pop("site", SITE), 1, series or Series(), **facts.pop("usage", {}))
    return Recorded(facts.pop("name", "q1"), text, kind, values=values, usages=(usage,), **facts)


def found(pattern: str, *statements: Recorded, tables: tuple[Table, ...] | None = None) -> list[Finding]:
    """The findings of a pattern, with the schema where tables are given."""
    schema = Schema("database", tables, server_version=18) if tables is not None else None
    cls: Any = registry()[pattern]
    return list(cls().detect(Workload(statements), schema))


REPORTED = [
    ("function-on-column", "SELECT 1 FROM item WHERE lower(name) = $1"),
    ("function-on-column", "SELECT 1 FROM item i WHERE lower(i.name)::text >= 'a' AND id = 1"),
    ("function-on-column", "SELECT 1 FROM item WHERE date_trunc('day', at) = date_trunc('day', $1::timestamptz)"),
    ("function-on-column", "SELECT 1 FROM item WHERE date(at) < $1"),
    ("function-on-column", "SELECT 1 FROM item WHERE to_char(at, 'YYYY') = '2026'"),
    ("function-on-column", "SELECT 1 FROM item WHERE date_part('year', at) = 2026"),
    ("function-on-column", "SELECT 1 FROM item WHERE date_part('month', at) = 5"),
    ("function-on-column", "SELECT 1 FROM item WHERE extract(year FROM at) <= 2026"),
    ("function-on-column", "SELECT 1 FROM item WHERE public.folded(name, ':x') = $1"),
    ("function-on-column", "UPDATE item SET name = 'x' WHERE lower(name) = 'a'"),
    ("function-on-column", "SELECT 1 FROM item JOIN book ON lower(item.name) = 'a'"),
    ("cast-on-column", "SELECT 1 FROM item WHERE at::date = $1"),
    ("cast-on-column", "SELECT 1 FROM item WHERE CAST(id AS text) = '7'"),
    ("cast-on-column", "SELECT 1 FROM item i WHERE i.id::text >= $1::text"),
    ("cast-on-column", "DELETE FROM item WHERE id::varchar < '7'"),
    ("cast-on-column", "SELECT 1 FROM item WHERE name::text = '7'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE '%a'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name ILIKE '_a'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name NOT LIKE '%a%'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name NOT ILIKE '%a%'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name::text LIKE '%' || $1"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE '%' || $1 || '%'"),
    ("random-order", "SELECT id FROM item ORDER BY random() LIMIT 1"),
    ("random-order", "SELECT 1 WHERE EXISTS (SELECT id FROM item ORDER BY id, pg_catalog.random())"),
    ("not-in-subquery", "SELECT 1 FROM item WHERE NOT (id IN (SELECT id FROM book))"),
    ("not-in-subquery", "SELECT 1 FROM item WHERE id NOT IN (SELECT id FROM book) AND id > 1"),
    ("generic-plan-hazard", "SELECT 1 FROM item WHERE $1 IS NULL OR id = $1"),
    ("generic-plan-hazard", "SELECT 1 FROM item WHERE (id = $1 OR $1::bigint IS NULL) AND name = 'a'"),
    ("cartesian-product", "SELECT 1 FROM item, book WHERE item.id = 1"),
    ("cartesian-product", "SELECT 1 FROM item i, book b, shelf s WHERE i.id = b.id"),
    ("cartesian-product", "SELECT 1 FROM item i JOIN shelf s ON s.id = i.id, book b WHERE s.id = 1 AND b.id = 2"),
    ("cartesian-product", "SELECT 1 FROM item WHERE EXISTS (SELECT 1 FROM shelf, book)"),
    ("offset-paging", "SELECT id FROM item ORDER BY id LIMIT 10 OFFSET $1"),
    ("offset-paging", "SELECT id FROM item ORDER BY id DESC LIMIT 10 OFFSET 20"),
    ("offset-paging", "SELECT id FROM item ORDER BY name OFFSET 20"),
    ("offset-paging", "SELECT id FROM item ORDER BY name DESC, id DESC OFFSET 20"),
    ("offset-paging", "SELECT id FROM item ORDER BY name DESC, id OFFSET 20"),
    ("offset-paging", "SELECT id FROM item ORDER BY lower(name), id OFFSET 20"),
    ("offset-paging", "SELECT id FROM item OFFSET 20"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id LIMIT 1 FOR UPDATE"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id LIMIT 1 FOR NO KEY UPDATE"),
    (
        "queue-without-skip-locked",
        "UPDATE item SET name = 'x' WHERE id IN (SELECT id FROM item ORDER BY id LIMIT 1 FOR UPDATE)",
    ),
]
SILENT = [
    ("function-on-column", "SELECT lower(name) FROM item GROUP BY name HAVING lower(name) = 'a'"),
    ("function-on-column", "SELECT 1 FROM item WHERE lower(name) = code"),
    ("function-on-column", "SELECT 1 FROM item WHERE lower(name) LIKE 'a'"),
    ("function-on-column", "SELECT 1 FROM item WHERE coalesce(name, code) = 'a'"),
    ("function-on-column", "SELECT 1 FROM item WHERE now() > $1"),
    ("function-on-column", "SELECT 1 FROM item WHERE name = lower('A')"),
    ("function-on-column", "SELECT 1 FROM item WHERE lower(name) = lower(code)"),
    ("cast-on-column", "SELECT 1 FROM item WHERE id = '7'::bigint"),
    ("cast-on-column", "SELECT 1 FROM item WHERE id::text = name"),
    ("cast-on-column", "SELECT 1 FROM item WHERE id::text LIKE '7%'"),
    ("cast-on-column", "SELECT 1 FROM item WHERE (id + 1)::text = '7'"),
    ("cast-on-column", "SELECT id::text = '7' FROM item ORDER BY id::text = '7'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE 'a%'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE $1"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE $1 || '%'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE code || '%'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE lower(name) LIKE '%a'"),
    ("leading-wildcard", "SELECT 1 FROM item WHERE name = '%a'"),
    ("leading-wildcard", "SELECT name LIKE '%a' FROM item"),
    ("random-order", "SELECT random() FROM item ORDER BY id"),
    ("random-order", "SELECT id FROM item ORDER BY lower(name)"),
    ("not-in-subquery", "SELECT 1 FROM item WHERE id NOT IN (1, 2)"),
    ("not-in-subquery", "SELECT 1 FROM item WHERE NOT EXISTS (SELECT 1 FROM book)"),
    ("not-in-subquery", "SELECT 1 FROM item WHERE id IN (SELECT id FROM book)"),
    ("not-in-subquery", "SELECT 1 FROM item WHERE id = 1 OR id IN (SELECT id FROM book)"),
    ("generic-plan-hazard", "SELECT 1 FROM item WHERE name IS NULL OR id = $1"),
    ("generic-plan-hazard", "SELECT 1 FROM item WHERE $1 IS NOT NULL OR id = $1"),
    ("generic-plan-hazard", "SELECT 1 FROM item WHERE $1 IS NULL AND id = $1"),
    ("cartesian-product", "SELECT 1 FROM item, book WHERE item.id = book.id"),
    ("cartesian-product", "SELECT 1 FROM item, book WHERE id = 1"),
    ("cartesian-product", "SELECT 1 FROM item CROSS JOIN book"),
    ("cartesian-product", "SELECT 1 FROM item, generate_series(1, 2) n"),
    ("cartesian-product", "SELECT 1 FROM item i, book b, shelf s WHERE i.id = b.id AND s.id = b.id"),
    ("cartesian-product", "SELECT 1 FROM item, (item i2 JOIN generate_series(1, 2) n ON true) WHERE item.id = 1"),
    ("cartesian-product", "SELECT 1 FROM item"),
    ("offset-paging", "SELECT id FROM item ORDER BY id LIMIT 10"),
    ("offset-paging", "SELECT id FROM item ORDER BY id LIMIT 10 OFFSET 0"),
    ("offset-paging", "DELETE FROM item WHERE id IN (SELECT id FROM item OFFSET 20)"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id LIMIT 1 FOR UPDATE NOWAIT"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id LIMIT 1 FOR SHARE"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id FOR UPDATE"),
    ("queue-without-skip-locked", "SELECT id FROM item LIMIT 1 FOR UPDATE"),
    ("queue-without-skip-locked", "SELECT id FROM item ORDER BY id LIMIT 1"),
]


@pytest.mark.parametrize(("pattern", "text"), REPORTED)
def test_reported(pattern: str, text: str) -> None:
    assert len(found(pattern, statement(text))) == 1


@pytest.mark.parametrize(("pattern", "text"), SILENT)
def test_silent(pattern: str, text: str) -> None:
    assert found(pattern, statement(text)) == []


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("cast-on-column", "SELECT 1 FROM item WHERE name::varchar = $1", 0),
        ("cast-on-column", "SELECT 1 FROM item i WHERE i.code::text = $1", 0),
        ("cast-on-column", "SELECT 1 FROM item WHERE id::text = $1", 1),
        ("cast-on-column", "SELECT 1 FROM item, book WHERE name::varchar = $1", 1),
        ("cast-on-column", "SELECT 1 FROM other.item WHERE name::varchar = $1", 1),
        ("leading-wildcard", "SELECT 1 FROM item WHERE name LIKE '%a'", 0),
        ("leading-wildcard", "SELECT 1 FROM item WHERE code LIKE '%a'", 1),
        ("function-on-column", "SELECT 1 FROM item WHERE lower(name) = $1", 1),
        ("function-on-column", "SELECT 1 FROM item WHERE lower(code) = $1", 0),
        ("function-on-column", "SELECT 1 FROM item WHERE upper(code) = $1", 1),
    ],
)
def test_with_the_schema(pattern: str, text: str, expected: int) -> None:
    by_code = Index(Name("public", "by_code"), ITEM, "btree", (IndexKey(None, expression="lower((code)::text)"),))
    items = replace(ITEMS, indexes=(*ITEMS.indexes, by_code))
    assert len(found(pattern, statement(text), tables=(items,))) == expected


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("SELECT 1 FROM item WHERE name LIKE $1", [("a",), ("%a",)], 1),
        ("SELECT 1 FROM item WHERE id = $1 AND name LIKE $2", [("%a", "b"), ("%a",)], 0),
        ("SELECT id FROM item OFFSET $1", [(0,), ("0",), (None,)], 0),
        ("SELECT id FROM item LIMIT $1 OFFSET $2", [(10, 0), (10, 10)], 1),
        ("SELECT id FROM item LIMIT $1 OFFSET $2::bigint", [(10, 0)], 0),
    ],
)
def test_recorded_values(text: str, values: list[tuple[object, ...]], expected: int) -> None:
    pattern = "offset-paging" if "OFFSET" in text else "leading-wildcard"
    assert len(found(pattern, statement(text, *values))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM item", 1),
        ("SELECT id, name FROM item ORDER BY id", 1),
        ("SELECT id, lower(name) FROM item", 1),
        ("SELECT id, row_number() OVER () FROM item", 1),
        ("SELECT row_number() OVER (ORDER BY id) FROM item", 1),
        ("SELECT count(*) FROM item", 0),
        ("SELECT count(*) AS n, max(id) FROM item", 0),
        ("SELECT id FROM item WHERE id > 1", 0),
        ("SELECT id FROM item LIMIT 5", 0),
        ("SELECT name FROM item GROUP BY name", 0),
        ("SELECT DISTINCT name FROM item", 0),
        ("SELECT 1 FROM item, item other", 0),
        ("SELECT 1 FROM item JOIN book ON true", 0),
        ("SELECT 1 FROM book", 0),
        ("SELECT 1", 0),
        ("DELETE FROM item", 0),
    ],
)
def test_whole_tables(text: str, expected: int) -> None:
    large = replace(ITEMS, statistics=TableStatistics(100_000, 0, 0, 0, 0, 0, 0))
    assert len(found("unbounded-read", statement(text), tables=(large,))) == expected
    small = replace(ITEMS, statistics=TableStatistics(99_999, 0, 0, 0, 0, 0, 0))
    assert found("unbounded-read", statement(text), tables=(small,)) == []
    assert found("unbounded-read", statement(text, usage={"reason": "lazy load"}), tables=(large,)) == []


@pytest.mark.parametrize(
    ("pattern", "text", "series", "expected"),
    [
        ("commit-per-row", "INSERT INTO item VALUES ($1)", Series(5, commits=4, rows=1), 1),
        ("commit-per-row", "UPDATE item SET id = 1", Series(5, commits=5, rows=0), 1),
        ("commit-per-row", "DELETE FROM item WHERE id = 1", Series(6, commits=5), 1),
        ("commit-per-row", "INSERT INTO item VALUES ($1)", Series(4, commits=4), 0),
        ("commit-per-row", "INSERT INTO item VALUES ($1)", Series(6, commits=4), 0),
        ("commit-per-row", "INSERT INTO item VALUES ($1)", Series(5, commits=5, rows=2), 0),
        ("commit-per-row", "INSERT INTO item VALUES ($1)", Series(5, commits=5, batches=1), 0),
        ("commit-per-row", "SELECT 1", Series(5, commits=5), 0),
        (
            "commit-per-row",
            "UPDATE item SET id = 1 WHERE id = (SELECT id FROM item LIMIT 1 FOR UPDATE)",
            Series(5, commits=5),
            0,
        ),
        ("row-by-row-write", "INSERT INTO item VALUES ($1)", Series(5, in_transaction=5, rows=1), 1),
        ("row-by-row-write", "UPDATE item SET id = 1", Series(9, in_transaction=9, flushes=5), 1),
        ("row-by-row-write", "DELETE FROM item", Series(9, in_transaction=5, rows=0), 1),
        ("row-by-row-write", "INSERT INTO item VALUES ($1)", Series(9, in_transaction=4), 0),
        ("row-by-row-write", "INSERT INTO item VALUES ($1)", Series(9, in_transaction=9, flushes=4), 0),
        ("row-by-row-write", "INSERT INTO item VALUES ($1)", Series(9, in_transaction=9, rows=2), 0),
        ("row-by-row-write", "INSERT INTO item VALUES ($1)", Series(9, in_transaction=9, batches=1), 0),
        ("row-by-row-write", "SELECT 1", Series(9, in_transaction=9), 0),
        ("repeated-statement", "SELECT 1 FROM item", Series(3, repeated=2), 1),
        ("repeated-statement", "SELECT 1 FROM item", Series(3, repeated=1), 0),
        ("repeated-statement", "SELECT 1 FROM item FOR UPDATE", Series(3, repeated=2), 0),
        ("repeated-statement", "SELECT nextval('s')", Series(3, repeated=2), 0),
        ("repeated-statement", "DELETE FROM item", Series(3, repeated=2), 0),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id = $1", Series(distinct_in_transaction=5), 1),
        ("statement-in-loop", "SELECT 1 FROM item WHERE $1 = id", Series(distinct_in_transaction=5), 1),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id > $1", Series(distinct_in_transaction=9, parameters=49), 1),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id = 1", Series(distinct_in_transaction=5), 1),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id = $1", Series(distinct_in_transaction=4), 0),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id = $1", Series(distinct_in_transaction=5, parameters=50), 0),
        ("statement-in-loop", "SELECT 1 FROM item OFFSET $1", Series(distinct_in_transaction=5), 0),
        ("statement-in-loop", "SELECT 1 FROM item FOR SHARE", Series(distinct_in_transaction=5), 0),
        ("statement-in-loop", "SELECT now()", Series(distinct_in_transaction=5), 0),
        (
            "statement-in-loop",
            "SELECT 1 FROM item WHERE id > $1 ORDER BY id LIMIT 5",
            Series(distinct_in_transaction=5),
            0,
        ),
        (
            "statement-in-loop",
            "SELECT 1 FROM item WHERE id = $1 ORDER BY id LIMIT 5",
            Series(distinct_in_transaction=5),
            1,
        ),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id < $1 ORDER BY id", Series(distinct_in_transaction=5), 1),
        ("statement-in-loop", "SELECT 1 FROM item WHERE id < $1 LIMIT 5", Series(distinct_in_transaction=5), 1),
        ("statement-in-loop", "DELETE FROM item WHERE id = $1", Series(distinct_in_transaction=5), 0),
    ],
)
def test_series(pattern: str, text: str, series: Series, expected: int) -> None:
    assert len(found(pattern, statement(text, series=series))) == expected
    if text.startswith("SELECT"):
        assert found(pattern, statement(text, series=series, usage={"reason": "lazy load"})) == []


@pytest.mark.parametrize(
    ("pattern", "reason", "attribute", "number", "expected"),
    [
        ("lazy-load-in-loop", "lazy load", "Item.parts", 2, 1),
        ("lazy-load-in-loop", "lazy load", "Item.parts", 1, 0),
        ("lazy-load-in-loop", "lazy load", None, 2, 0),
        ("lazy-load-in-loop", "column load", "Item.parts", 2, 0),
        ("column-load-in-loop", "column load", "Item", 5, 1),
        ("column-load-in-loop", "column load", None, 5, 1),
        ("column-load-in-loop", "column load", "Item", 4, 0),
        ("column-load-in-loop", "lazy load", "Item", 5, 0),
    ],
)
def test_loads(pattern: str, reason: str, attribute: str | None, number: int, expected: int) -> None:
    usage = {"reason": reason, "attribute": attribute}
    sent = statement("SELECT 1 FROM item", series=Series(distinct_in_transaction=number), usage=usage)
    assert len(found(pattern, sent)) == expected


@pytest.mark.parametrize(
    ("query", "insert", "expected"),
    [
        ("SELECT 1 FROM item WHERE name = $1", "INSERT INTO item VALUES ($1)", 1),
        ("SELECT 1 FROM item WHERE name = $1 AND id = $2", "INSERT INTO item VALUES ($1)", 1),
        ("SELECT 1 FROM item WHERE name = $1", "INSERT INTO item VALUES ($1) ON CONFLICT DO NOTHING", 0),
        ("SELECT 1 FROM book WHERE name = $1", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM other.item WHERE name = $1", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM item WHERE name > $1", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM item WHERE name = 'a'", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM item", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM item WHERE name = $1 ORDER BY id", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM item JOIN book ON true WHERE name = $1", "INSERT INTO item VALUES ($1)", 0),
        ("SELECT 1 FROM item WHERE name = $1", "UPDATE item SET id = $1", 0),
        ("DELETE FROM item WHERE name = $1", "INSERT INTO item VALUES ($1)", 0),
    ],
)
def test_searched_then_inserted(query: str, insert: str, expected: int) -> None:
    searched = statement(query, name="q0")
    added = statement(insert, tables=("item",), usage={"after": ("q0", "gone")})
    assert len(found("select-then-insert", searched, added)) == expected
    elsewhere = replace(added, tables=("other.item",))
    assert len(found("select-then-insert", searched, elsewhere)) == (1 if "other." in query else 0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("if session.scalar(q) > 0:\n    pass", 1),
        ("x = 0 != session.scalar(q)", 1),
        ("x = session.scalar(q) == 0", 1),
        ("x = session.scalar(q) <= 0", 1),
        ("x = session.scalar(q) >= 1", 1),
        ("x = session.scalar(q) < 1", 1),
        ("x = 1 if session.scalar(q) else 2", 1),
        ("while session.scalar(q):\n    pass", 1),
        ("x = bool(session.scalar(q))", 1),
        ("x = session.scalar(\n    q\n) > 0", 1),
        ("x = session.scalar(q) > 1", 0),
        ("x = session.scalar(q) >= 0", 0),
        ("x = session.scalar(q) == 1", 0),
        ("x = session.scalar(q)", 0),
        ("x = int(session.scalar(q))", 0),
        ("if session.scalar(q) > limit:\n    pass", 0),
        ("\nx = session.scalar(q) > 0", 0),
        ("x = (", 0),
    ],
)
def test_counts(line: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Each file is parsed once; and the file's name is part of what is held.
    parsed.cache_clear()
    path = Path("app.py")
    path.write_text(f"{line}\ny = 1\n")
    sites = (Site(str(path), 1, "view"), Site(str(path), 9, "view"), Site(str(tmp_path / "gone.py"), 1, "view"))
    numbers = [len(found("count-for-existence", statement("SELECT count(*) FROM item", site=site))) for site in sites]
    assert numbers == [expected, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*), 1 FROM item",
        "SELECT count(*) FROM item GROUP BY name",
        "SELECT max(id) FROM item",
        "SELECT id FROM item",
        "DELETE FROM item",
    ],
)
def test_what_counts_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text("x = session.scalar(q) > 0\n")
    assert found("count-for-existence", statement(text, site=Site(str(path), 1, "view"))) == []
    assert found("count-for-existence", statement("SELECT count(*) FROM item", site=None)) == []


def test_who_sends_it() -> None:
    text = "SELECT id, " + ", ".join(f"column_number_{number}" for number in range(20)) + " FROM item ORDER BY random()"
    (finding,) = found("random-order", statement(text, usage={"tests": ("test_a", "test_b"), "test_count": 3}))
    assert finding.message.endswith("… (test_a and 2 more tests)")
    (finding,) = found("random-order", statement(text, site=None, usage={"tests": ("test_a",), "test_count": 1}))
    assert finding.message.endswith("… (test_a)") and finding.location is None
    assert found("random-order", statement(text, site=Site("tests/a.py", 1, "test_a", test=True))) == []


def test_engines_of_all_kinds() -> None:
    usual = EngineFacts("postgresql+psycopg", "QueuePool", 5, 10, -1, site=SITE)
    engines = (
        usual,
        replace(usual, size=14),
        replace(usual, size=15),
        replace(usual, overflow=-1),
        replace(usual, size=None),
        replace(usual, overflow=None),
        replace(usual, recycle=None),
        replace(usual, recycle=0),
        replace(usual, recycle=1800),
        replace(usual, pre_ping=True),
        replace(usual, is_async=True, expires_on_commit=True),
        replace(usual, is_async=True),
    )
    numbers = {}
    for name in ("pool-larger-than-server", "pool-without-recycle", "async-session-expires"):
        cls: Any = registry()[name]
        numbers[name] = [len(list(cls().detect(Workload(engines=(engine,)), None))) for engine in engines]
    assert numbers == {
        "pool-larger-than-server": [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "pool-without-recycle": [1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1],
        "async-session-expires": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
    }
