"""A revision that takes an index away from a recorded statement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alembic_pgpatterns.workload.files import write
from tests.projects import Project, make
from tests.recorded import recorded

TABLES = """
CREATE COLLATION words (provider = libc, locale = 'C.UTF-8');
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text, number numeric, code text COLLATE "C"
);
CREATE INDEX orders_code ON orders (code);
CREATE INDEX orders_customer_id ON orders (customer_id);
CREATE INDEX orders_number ON orders (number);
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.sql("a1", TABLES)
    project.write("rows.txt", "orders 5000000\n")
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nworkload = "workload.jsonl"\nstats = "rows.txt"\n')
    write(
        recorded(
            "SELECT note FROM orders WHERE customer_id = $1",
            "SELECT note FROM orders WHERE id = $1",
            "SELECT note FROM orders WHERE number = $1::numeric",
            "SELECT note FROM orders WHERE code LIKE 'ab%'",
        ),
        tmp_path / "workload.jsonl",
    )
    return project


def slowed(project: Project) -> list[dict]:
    flags = ("--since", "a1", "--select", "slowed-statement,blocking-index-drop")
    run = project.alembic("pgcheck", *flags, "--format", "json", "--exit-zero")
    assert run.returncode == 0, run.stderr
    return [item for item in json.loads(run.stdout)["findings"] if item["pattern"] == "slowed-statement"]


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ("DROP INDEX orders_customer_id", [1]),
        ("ALTER TABLE orders ALTER customer_id TYPE numeric; DROP INDEX orders_customer_id", [1]),
        # What the application still sends as numeric is compared with bigint by a cast of the column.
        ("ALTER TABLE orders ALTER number TYPE bigint", [3]),
        # Only in the order of code points are the texts that begin alike one range of an index (docs, "Operator
        # Classes").
        ("ALTER TABLE orders ALTER code TYPE text COLLATE words", [4]),
        # Before the policy's condition only LEAKPROOF operators run: no error of theirs tells of a row (docs, "Rules
        # and Privileges"). Those of numeric and LIKE are not among them, so that no index serves them any more.
        (
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; "
            "CREATE POLICY own ON orders USING (note = current_setting('app.note'))",
            [3, 4],
        ),
    ],
)
def test_what_sends_a_statement_to_all_rows(project: Project, change: str, lines: list[int]) -> None:
    project.sql("b2", change, down="a1")
    findings = slowed(project)
    places = sorted((finding["location"]["path"], finding["location"]["line"]) for finding in findings)
    assert places == [("app.py", line) for line in lines]
    for finding in findings:
        assert finding["severity"] == "error"
        assert finding["revision"] == "b2"
        assert "every row of orders is read" in finding["message"]


def test_a_better_index_in_its_place_is_quiet(project: Project) -> None:
    project.sql("b2", "CREATE INDEX better ON orders (customer_id, note); DROP INDEX orders_customer_id", down="a1")
    assert slowed(project) == []
