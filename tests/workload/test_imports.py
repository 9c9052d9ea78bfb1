"""Workloads from elsewhere: SQL files, logs, pg_stat_statements; memory that does not grow with a log."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import alembic_pgpatterns
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.workload.files import read
from alembic_pgpatterns.workload.imports import read_workloads
from alembic_pgpatterns.workload.model import Recorded

TEXT_LOG = """\
2026-01-01 10:00:00.000 UTC [7] LOG:  duration: 2.500 ms  statement: SELECT id FROM book WHERE title = 'a:b'
\tAND id > 3
2026-01-01 10:00:01.000 UTC [7] LOG:  duration: 7.500 ms  statement: SELECT id FROM book WHERE title = 'c'
\tAND id > 4
2026-01-01 10:00:02.000 UTC [7] LOG:  execute <unnamed>: SELECT id FROM book WHERE id = $1 AND title = $2
2026-01-01 10:00:02.000 UTC [7] DETAIL:  Parameters: $1 = '7', $2 = 'it''s'
2026-01-01 10:00:03.000 UTC [7] LOG:  checkpoint starting: time
2026-01-01 10:00:04.000 UTC [7] LOG:  duration: 1200.000 ms  plan:
\tQuery Text: DELETE FROM book WHERE id = 9
\tDelete on book  (cost=0.00..1.00 rows=1 width=6)
2026-01-01 10:00:05.000 UTC [7] ERROR:  relation "x" does not exist at character 15
2026-01-01 10:00:05.000 UTC [7] STATEMENT:  SELECT * FROM x
"""


def by_kind(statements: tuple[Recorded, ...]) -> dict[str, list[Recorded]]:
    return {kind: [item for item in statements if item.kind == kind] for kind in {item.kind for item in statements}}


def test_a_log_of_stderr(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(TEXT_LOG)
    workload = read_workloads([tmp_path / "a.log"])
    selects = by_kind(workload.statements)["select"]
    assert [(item.calls, item.milliseconds, item.values) for item in selects] == [
        (2, 5.0, (("a:b", 3), ("c", 4))),
        (1, None, (("7", "it's"),)),
    ]
    assert selects[0].text == "SELECT id FROM book WHERE title = $1\nAND id > $2"
    (delete,) = by_kind(workload.statements)["delete"]
    assert (delete.milliseconds, delete.values) == (1200.0, ((9,),))
    assert workload.source == "log"
    assert workload.from_production


def test_csv_and_json_logs(tmp_path: Path) -> None:
    message = "duration: 3.000 ms  execute s1: SELECT id FROM book WHERE id = $1"
    row = ["t", "u", "d", "7", "h", "s", "1", "SELECT", "t", "v", "0", "LOG", "00000", message, "Parameters: $1 = '5'"]
    with (tmp_path / "a.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([row, row])
    (tmp_path / "a.json").write_text(json.dumps({"message": message, "detail": "Parameters: $1 = '5'"}) + "\n")
    (statement,) = read_workloads([tmp_path / "a.csv", tmp_path / "a.json"]).statements
    assert (statement.calls, statement.milliseconds, statement.values) == (3, 3.0, (("5",),))


def test_pg_stat_statements_as_csv(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('query,calls,mean_exec_time\n"SELECT id FROM book WHERE id = $1",40,0.5\n')
    (statement,) = read_workloads([tmp_path / "s.csv"]).statements
    assert (statement.calls, statement.milliseconds, statement.values) == (40, 0.5, ())


def test_sql_files_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    script = "-- first\nSELECT 1;\n\nSELECT id\nFROM book WHERE title = 'x';\n"
    (tmp_path / "queries/books.sql").write_text(script)
    workload = read_workloads([tmp_path / "queries"])
    lines = {item.text: item.usages[0].site.line for item in workload.statements if item.usages[0].site}
    assert lines["SELECT id\nFROM book WHERE title = $1"] == 4


def test_what_holds_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_text("nothing\n")
    with pytest.raises(PgPatternsError, match="log_min_duration_statement"):
        read_workloads([tmp_path / "empty.log"])
    with pytest.raises(PgPatternsError, match="no such file"):
        read_workloads([tmp_path / "gone.log"])


def test_texts_that_differ_in_constants_are_one_statement(tmp_path: Path) -> None:
    line = "2026-01-01 10:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: "
    texts = ("SELECT id FROM book WHERE title = 'US$5'", "SELECT id FROM book WHERE title = 'plain'")
    (tmp_path / "app.log").write_text("".join(f"{line}{text}\n" for text in (*texts, *texts)))
    (statement,) = read_workloads([tmp_path / "app.log"]).statements
    assert (statement.calls, statement.values) == (4, (("US$5",), ("plain",)))
    assert statement.text == "SELECT id FROM book WHERE title = $1"


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    line = "2026-01-01 10:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: SELECT id FROM book WHERE id = "
    peaks = []
    for count in (1500, 6000):
        with (tmp_path / "big.log").open("w") as stream:
            stream.writelines(f"{line}{number}\n" for number in range(count))
        tracemalloc.start()
        (statement,) = read_workloads([tmp_path / "big.log"]).statements
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert statement.calls == count
    assert peaks[1] < peaks[0] * 1.5


def test_recording_of_a_running_application(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = database.engine()
    with alembic_pgpatterns.record(engine, tmp_path / "w.jsonl"), engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT :n + 1, :t"), {"n": 3, "t": "text"})
        connection.execute(sqlalchemy.text("SELECT :n + 2"), {"n": 3})
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 3"))
    workload = read(tmp_path / "w.jsonl")
    assert workload.source == "record"
    assert sorted(item.values for item in workload.statements) == [(), ((3,),)]
    with pytest.raises(ValueError, match="is not one of all, safe, none"):
        alembic_pgpatterns.record(engine, tmp_path / "w.jsonl", values="some")
