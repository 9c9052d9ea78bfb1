"""What the advisor decides for one statement of one table, on tables that PostgreSQL believes to be large."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from alembic_pgpatterns.advisor.advise import Advisor
from alembic_pgpatterns.advisor.facts import Statistics, TableSize
from alembic_pgpatterns.advisor.model import Advice, Options
from alembic_pgpatterns.advisor.synthesise import period_of
from alembic_pgpatterns.remedies.sql import create_index
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Recorded, Workload
from alembic_pgpatterns.workload.text import read

ROWS = 2_000_000


@dataclass(frozen=True)
class Case:
    """A statement of the table ``t`` with these columns, and the keys of the indexes that it needs, in any order."""

    columns: str
    statement: str
    values: tuple[tuple[object, ...], ...]
    expected: tuple[str, ...]
    rows: int = ROWS


CASES: Mapping[str, Case] = {
    "equality and order": Case(
        "tenant_id bigint, created_at timestamptz DEFAULT now()",
        "SELECT * FROM t WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT $2",
        ((1, 20),),
        ("(tenant_id, created_at)",),
    ),
    "columns of which nothing is known": Case(
        "actor text, verb text, at timestamptz",
        "SELECT count(*) FROM t WHERE actor = $1 AND verb = $2 AND at >= $3",
        (("kim", "x", "2026-01-01"),),
        ("(actor, verb, at)",),
    ),
    "a range that tests make short": Case(
        "depot_id int REFERENCES parents, at timestamptz NOT NULL DEFAULT now()",
        "SELECT * FROM t WHERE depot_id = $1 AND at >= $2 AND at < $3",
        ((1, "2026-01-01 10:00", "2026-01-01 10:01"),),
        ("(depot_id, at)",),
    ),
    "OR of two columns": Case(
        "tracking text, reference text",
        "SELECT * FROM t WHERE tracking = $1 OR reference = $2",
        (("a", "a"),),
        ("(tracking)", "(reference)"),
    ),
    "OR of two searches": Case(
        "name text, email text",
        "SELECT * FROM t WHERE name ILIKE $1 OR email ILIKE $2",
        (("%anna%", "%anna%"),),
        ("USING gin (name gin_trgm_ops)", "USING gin (email gin_trgm_ops)"),
    ),
    "a document with LIMIT": Case(
        "extra jsonb",
        "SELECT * FROM t WHERE extra @> $1 LIMIT $2",
        (('{"a": 1}', 50),),
        ("USING gin (extra jsonb_path_ops)",),
    ),
    "an array with LIMIT": Case(
        "tags text[]",
        "SELECT id FROM t WHERE tags @> $1 LIMIT 200",
        ((["a"],),),
        ("USING gin (tags)",),
    ),
    "the key of a document as a parameter": Case(
        "details jsonb",
        "SELECT * FROM t WHERE (details ->> $1::text) = $2",
        (("sample", "S1"), ("sample", "S2")),
        ("((details ->> 'sample'::text))",),
    ),
    "the language of a search as a parameter": Case(
        "body text",
        "SELECT id FROM t WHERE to_tsvector($1::regconfig, body) @@ plainto_tsquery($2::regconfig, $3) LIMIT 20",
        (("english", "english", "word"),),
        ("USING gin ((to_tsvector('english'::regconfig, body)))",),
    ),
    "how a text begins": Case(
        "name text",
        "SELECT id, name FROM t WHERE name LIKE $1 ORDER BY name LIMIT 10",
        (("Car%",),),
        ("(name text_pattern_ops)",),
    ),
    "how a text begins, of one tenant": Case(
        "tenant_id int REFERENCES parents, name text",
        "SELECT id FROM t WHERE tenant_id = $1 AND lower(name) LIKE $2 ORDER BY name LIMIT 10",
        ((1, "car%"),),
        ("(tenant_id, (lower(name)) text_pattern_ops)",),
    ),
    "a word in the middle, with wildcards of the application": Case(
        "name text",
        "SELECT id FROM t WHERE name LIKE '%' || $1 || '%' LIMIT 10",
        (("anna",),),
        ("USING gin (name gin_trgm_ops)",),
    ),
    "a word in the middle, escaped": Case(
        "name text",
        "SELECT id FROM t WHERE lower(name) LIKE '%' || lower($1) || '%' ESCAPE '/'",
        (("Anna",),),
        ("USING gin ((lower(name)) gin_trgm_ops)",),
    ),
    "how a text begins, with a wildcard of the application": Case(
        "name text",
        "SELECT id FROM t WHERE name LIKE $1 || '%' ORDER BY name LIMIT 10",
        (),
        ("(name text_pattern_ops)",),
    ),
    "similar texts": Case(
        "name text",
        "SELECT id FROM t WHERE name % $1",
        (("anna",),),
        ("USING gin (name gin_trgm_ops)",),
    ),
    "the nearest": Case(
        "place point",
        "SELECT id FROM t ORDER BY place <-> $1 LIMIT 10",
        (("(1,2)",),),
        ("USING gist (place)",),
    ),
    "ranges that overlap": Case(
        "during tstzrange",
        "SELECT id FROM t WHERE during && $1",
        (("[2026-01-01,2026-01-02)",),),
        ("USING gist (during)",),
    ),
    "a range around a time, of one room": Case(
        "room_id int REFERENCES parents, during tstzrange",
        "SELECT id FROM t WHERE room_id = $1 AND during @> $2::timestamptz",
        ((1, "2026-01-01"),),
        ("USING gist (room_id, during)",),
    ),
    "addresses of a network": Case(
        "ip inet",
        "SELECT id FROM t WHERE ip <<= $1",
        (("10.1.0.0/16",),),
        ("(ip)",),
    ),
    "the last time": Case(
        "device_id bigint, at timestamptz NOT NULL",
        "SELECT max(at) FROM t WHERE device_id = $1",
        ((1,),),
        ("(device_id, at)",),
    ),
    "a filter that may be left out": Case(
        "owner_id bigint, kind text",
        "SELECT id FROM t WHERE owner_id = $1 AND ($2::text IS NULL OR kind = $2)",
        ((1, "a"),),
        ("(owner_id, kind)",),
    ),
    "an expression": Case(
        "email text",
        "SELECT * FROM t WHERE lower(email) = $1",
        (("a@b.c",),),
        ("((lower(email)))",),
    ),
    "a queue": Case(
        "status text, run_at timestamptz",
        "SELECT * FROM t WHERE status = 'pending' AND run_at <= now() ORDER BY run_at LIMIT 10 FOR UPDATE SKIP LOCKED",
        ((),),
        ("(run_at) WHERE status = 'pending'::text",),
    ),
    "what is beyond a limit": Case(
        "state text CHECK (state IN ('a', 'b', 'c', 'd')), duration int, title text, body text, data jsonb",
        "SELECT * FROM t WHERE t.state = $1 AND t.duration > $2",
        (("a", 3600),),
        ("(state, duration)",),
    ),
    "a queue of an enumeration, beside an index without it": Case(
        "state text CHECK (state IN ('planned', 'due', 'sent', 'gone')), at timestamptz",
        "SELECT * FROM t WHERE state = 'due' AND at <= $1 ORDER BY at LIMIT 10 FOR UPDATE SKIP LOCKED",
        (("2026-01-01",),),
        ("(at) WHERE state = 'due'::text",),
    ),
    "rows that are not deleted": Case(
        "owner_id bigint, deleted_at timestamptz",
        "SELECT id FROM t WHERE deleted_at IS NULL AND owner_id = $1",
        ((1,),),
        ("(owner_id)",),
    ),
    "a look-up by primary key": Case("name text", "SELECT name FROM t WHERE id = $1", ((1,),), ()),
    "a whole table": Case("amount numeric", "SELECT sum(amount) FROM t", ((),), ()),
    "a small table": Case("name text", "SELECT * FROM t WHERE name = $1", (("a",),), (), rows=200),
}  # fmt: skip


@pytest.fixture(scope="module")
def advice(server: Any) -> Advice:
    """One run for all cases, each on a table of its own."""
    name = server.create_database("test_decisions")
    tables = [case.columns for case in CASES.values()]
    with server.connect(name) as connection:
        connection.execute("CREATE EXTENSION pg_trgm; CREATE TABLE parents (id int PRIMARY KEY)")
        for number, columns in enumerate(tables):
            connection.execute(f"CREATE TABLE t{number} (id bigint PRIMARY KEY, {columns})")
        schema = catalog.read(connection)
    sizes = {Name("public", f"t{n}"): TableSize(case.rows) for n, case in enumerate(CASES.values())}
    sizes[Name("public", "parents")] = TableSize(200)
    statements = tuple(_recorded(case, number) for number, case in enumerate(CASES.values()))
    result = Advisor(server, schema, Statistics(sizes)).advise(name, Workload(statements), Options())
    server.drop_database(name)
    return result


def _recorded(case: Case, number: int) -> Recorded:
    text = f"{case.statement} ".replace(" FROM t ", f" FROM t{number} ").replace(" t.", f" t{number}.")
    reading = read(text)
    assert reading is not None
    return Recorded(reading.fingerprint, text, reading.kind, values=case.values)


def test_all_is_planned_at_size(advice: Advice) -> None:
    assert advice.unplanned == ()
    assert advice.mode == "sparse files"


@pytest.mark.parametrize("name", CASES)
def test_the_index_of(name: str, advice: Advice) -> None:
    case, table = CASES[name], f"t{list(CASES).index(name)}"
    indexes = [replace(item.index, include=()) for item in advice.indexes if item.index.table.name == table]
    shown = [create_index(index).partition(f"public.{table} ")[2] for index in indexes]
    assert sorted(shown) == sorted(case.expected)


@pytest.mark.parametrize(
    ("statement", "year"),
    [
        ("SELECT 1 FROM t WHERE at > '2019-05-01'::date", 2019),
        ("SELECT 1 FROM t WHERE at > '2019-05-01 10:00+00' AND name = 'x'", 2019),
        ("SELECT 1 FROM t -- not since '2019-05-01'", 2023),
        ("SELECT 1 FROM t WHERE name = 'it''s 2019-05-01'", 2023),
        ("not SQL '2019-05-01'", 2023),
    ],
)
def test_rows_are_as_old_as_the_oldest_time_that_a_statement_names(statement, year) -> None:
    end = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    workload = Workload((Recorded("1", statement, "select"),))
    assert period_of(workload, end).start.year == year


@pytest.mark.parametrize(
    ("values", "end"),
    [(("2025-03-01 10:00",), "2025-03-08"), (("2025-03-01", "2027-01-01"), "2027-01-01"), ((), "2026-01-01")],
)
def test_the_present_is_that_of_the_tests(values: tuple[str, ...], end: str) -> None:
    """Else what is newer than the tests' own present would be half of all rows."""
    workload = Workload(
        (Recorded("1", "SELECT 1 FROM t WHERE at > $1 AND since < '2018-01-01'", "select", values=(values,)),)
    )
    period = period_of(workload, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    assert (str(period.end.date()), period.start.year) == (end, 2017)
