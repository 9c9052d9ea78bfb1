"""An index that gives only the order of a statement that searches by something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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


def _with_values(workload: Workload, *values: object) -> Workload:
    return Workload(tuple(replace(item, values=(values,)) for item in workload.statements))
