"""Indexes that a planner would use, and that are not worth having."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.advisor.candidates import candidates
from alembic_pgpatterns.advisor.predicates import Comparison, TableUse, Term
from alembic_pgpatterns.advisor.questions import Knowledge, Question
from alembic_pgpatterns.remedies.sql import create_index
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Workload
from tests.advised import advise, keys_of
from tests.recorded import recorded

TABLES = """
CREATE TABLE project (id int PRIMARY KEY);
CREATE TABLE person (id bigint PRIMARY KEY, project_id int NOT NULL REFERENCES project);
CREATE TABLE bill (
    id bigint PRIMARY KEY, payer_id bigint NOT NULL REFERENCES person, at timestamptz NOT NULL, kind int
);
CREATE INDEX ON person (project_id); CREATE INDEX ON bill (payer_id);
"""
ROWS = {"project": 200_000, "person": 1_000_000}


def test_the_newest_of_one_among_many_is_found_by_its_key(server: Any) -> None:
    """The planner reads the bills by their time where it takes it that those of one project lie evenly among them."""
    text = (
        "SELECT b.* FROM bill b JOIN person p ON p.id = b.payer_id WHERE p.project_id = $1 ORDER BY b.at DESC LIMIT 1"
    )
    assert keys_of(advise(server, TABLES, _with_values(recorded(text), 7), ROWS), "bill") == []


def test_the_newest_of_all_are_found_by_their_time(server: Any) -> None:
    text = "SELECT * FROM bill WHERE kind <> $1 ORDER BY at DESC LIMIT 20"
    assert keys_of(advise(server, TABLES, _with_values(recorded(text), 7), ROWS), "bill") == ["(at)"]


def test_a_unique_key_finds_its_row_without_further_columns(server: Any) -> None:
    name = server.create_database("test_candidates")
    with server.connect(name) as connection:
        connection.execute(TABLES)
        schema = catalog.read(connection)
    server.drop_database(name)
    use = TableUse(Name("public", "person"), "p", joins=[Term("id")], equal=[Comparison(Term("project_id"), "=", 1)])
    (statement,) = recorded("SELECT 1").statements
    knowledge = Knowledge(schema, *([lambda *_: 1.0] * 5))
    proposed = [item.index.keys for item in candidates([Question(statement, (use,))], knowledge)]
    assert ("project_id", "id") in [tuple(key.column for key in keys) for keys in proposed]
    assert [keys for keys in proposed if keys[0].column == "id"] == []


@pytest.mark.parametrize(
    ("index", "text", "value"),
    [
        ("((lower(code)))", "SELECT * FROM item WHERE lower(code) = $1", "a"),
        ("(tenant_id, (lower(code)))", "SELECT * FROM item WHERE tenant_id = 7 AND lower(code) = $1", "a"),
        ("((extra ->> 'key'))", "SELECT * FROM item WHERE extra ->> 'key' = $1", "a"),
        ("(code) WHERE tenant_id = 3", "SELECT * FROM item WHERE tenant_id = 3 AND code = $1", "a"),
    ],
)
def test_what_is_there_already(index: str, text: str, value: object, server: Any) -> None:
    tables = f"""
        CREATE TABLE item (id bigint PRIMARY KEY, tenant_id int, code text, extra jsonb);
        CREATE INDEX ON item {index};
    """
    advice = advise(server, tables, _with_values(recorded(text), value))
    assert keys_of(advice, "item") == []
    assert advice.unused == ()


def test_a_table_of_few_pages_is_read_in_no_time(server: Any) -> None:
    tables = "CREATE TABLE item (id bigint PRIMARY KEY, code uuid, kind int)"
    text = "SELECT * FROM item WHERE code = $1 AND kind = $2"
    workload = _with_values(recorded(text), "00000000-0000-0000-0000-000000000001", 1)
    assert keys_of(advise(server, tables, workload, {"item": 1500}), "item") == []


def _with_values(workload: Workload, *values: object) -> Workload:
    return Workload(tuple(replace(item, values=(values,)) for item in workload.statements))


def test_one_index_for_two_that_begin_alike(server: Any) -> None:
    tables = "CREATE TABLE message (id bigint PRIMARY KEY, author_id bigint, at timestamptz NOT NULL, body text)"
    workload = recorded(
        "SELECT * FROM message WHERE author_id = $1 ORDER BY at DESC LIMIT 20",
        "SELECT count(id) FROM message WHERE author_id = $1",
    )
    advice = advise(server, tables, workload)
    assert [(create_index(item.index).partition("message ")[2]) for item in advice.indexes] == [
        "(author_id, at) INCLUDE (id)"
    ]


OWNERS = """
CREATE TABLE project (id varchar(64) PRIMARY KEY, name text);
CREATE TABLE person (id int PRIMARY KEY, project_id varchar(64) REFERENCES project, name text);
CREATE TABLE bill (id int PRIMARY KEY, payer_id int REFERENCES person, amount float8, at date, what text);
"""
OF_PROJECT = "FROM bill JOIN person ON person.id = bill.payer_id WHERE person.project_id = $1"


def test_both_sides_of_a_join_are_found(server: Any) -> None:
    """As long as the persons are read as a whole, the bills' order alone seems best, and it is not."""
    texts = [f"SELECT bill.at {OF_PROJECT} ORDER BY at LIMIT 1", f"SELECT count(*) {OF_PROJECT}"]
    advice = advise(server, OWNERS, _with_values(recorded(*texts), "demo"), ROWS)
    assert (keys_of(advice, "person"), keys_of(advice, "bill")) == (["(project_id)"], ["(payer_id, at)"])


def test_a_plain_index_serves_the_beginning_of_a_text_by_code_points_alone(server: Any) -> None:
    """The scratch server sorts so, and production mostly does not."""
    tables = """
        CREATE TABLE plain (id bigint PRIMARY KEY, name text); CREATE INDEX ON plain (name);
        CREATE TABLE patterns (id bigint PRIMARY KEY, name text); CREATE INDEX ON patterns (name text_pattern_ops);
        CREATE TABLE points (id bigint PRIMARY KEY, name text); CREATE INDEX ON points (name COLLATE "C");
    """
    names = ("plain", "patterns", "points")
    texts = [f"SELECT * FROM {name} WHERE name LIKE $1" for name in names]
    advice = advise(server, tables, _with_values(recorded(*texts), "abc%"))
    assert [keys_of(advice, name) for name in names] == [["(name text_pattern_ops)"], [], []]
