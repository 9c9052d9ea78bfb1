"""``alembic pgstats``: what leaves a live database, and what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.advisor.export import export
from alembic_pgpatterns.advisor.statistics import read_statistics
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from tests.projects import make

SECRET = "a.person@example.org"
TABLES = f"""
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE person (id bigint PRIMARY KEY, email text, city text, mood mood, active boolean, born date, score int,
    state text CHECK (state IN ('new', 'old')));
INSERT INTO person SELECT n, CASE WHEN n % 2 = 0 THEN '{SECRET}' ELSE 'p' || n END, 'Secretville', 'glad', n % 3 = 0,
    date '2000-01-01' + n, n % 7, 'new' FROM generate_series(1, 500) n;
ANALYZE person;
"""


def test_no_value_of_a_text_column_leaves(database: Any) -> None:
    database.execute(TABLES)
    with database.connect() as connection:
        document = export(connection)
    (table,) = document["tables"]
    assert (table["rows"], table["table"]) == (500, "person")
    columns = table["columns"]
    assert "Secretville" not in json.dumps(document)
    assert SECRET not in json.dumps(document)
    assert document["redacted"] == ["public.person.city"]
    assert ("values" in columns["city"], columns["city"]["frequencies"]) == (False, [1.0])
    assert columns["mood"]["values"] == ["glad"]
    assert columns["state"]["values"] == ["new"], "a CHECK names it"
    assert sorted(columns["active"]["values"]) == ["f", "t"]
    assert len(columns["born"]["bounds"]) > 50
    assert "bounds" not in columns["email"]
    assert columns["email"]["avg_width"] > 0


def test_rows_need_no_rights_and_columns_need_select(database: Any) -> None:
    database.execute(TABLES)
    role = f"reader_{database.name}"
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        connection.execute(sql.SQL("GRANT SELECT (score) ON person TO {}").format(sql.Identifier(role)))
    facts = {**database.server.parameters(database.name), "user": role}
    with psycopg.connect(**facts, autocommit=True) as connection:
        document = export(connection)
    (table,) = document["tables"]
    assert table["rows"] == 500
    assert list(table["columns"]) == ["score"]
    database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_the_command_writes_what_pgadvise_reads(database: Any, tmp_path: Path) -> None:
    database.execute(TABLES)
    project = make(tmp_path)
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    run = project.alembic("pgstats", url, "-o", "stats.json")
    assert run.returncode == 0, run.stderr
    assert "common values left out: public.person.city" in run.stderr
    with database.connect() as connection:
        statistics = read_statistics(tmp_path / "stats.json", catalog.read(connection))
    person = Name("public", "person")
    assert statistics.sizes[person].rows == 500
    assert statistics.columns[person, "mood"].values == ("glad",)
    assert project.alembic("pgstats", "postgresql://nobody@127.0.0.1:1/x").returncode == 255
