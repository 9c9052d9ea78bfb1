"""A rehearsal's result in every format, and the server it may run on."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns.rehearsal.fails_with_rows import FailsWithRows
from alembic_pgpatterns.rehearsal.model import Prediction, Rehearsal, RevisionResult, StatementTime, TableResult
from alembic_pgpatterns.rehearsal.options import bytes_of, seconds_of
from alembic_pgpatterns.rehearsal.rows.model import Unfilled
from alembic_pgpatterns.rehearsal.server import MARKER, rehearsal_server
from alembic_pgpatterns.report import FORMATS, Output
from alembic_pgpatterns.report.rehearsal import document, write
from alembic_pgpatterns.revisions.rehearsed import RehearsedRun, RowFailure
from alembic_pgpatterns.schema.model import Location, Name
from alembic_pgpatterns.server.throwaway import ThrowawayServer

ORDERS = Name("public", "orders")
PLACE = Location("versions/a.py", 9)
RUN = RehearsedRun("a", "versions/a.py", 8, 12, failures=(RowFailure("upgrade", "null values; (1,)", PLACE),))
RESULT = Rehearsal(
    revisions=(
        RevisionResult(
            "a",
            "versions/a.py",
            "shop",
            (TableResult(ORDERS, 1_000_000, 0.0, 4.1, Prediction(100_000_000, 0.0, 420.0, 350.0, 490.0, "linear")),),
            (StatementTime(PLACE, 4.0, 12, "UPDATE orders SET a = 1", 400.0),),
            wal_bytes=5000,
            sizes=(250_000, 1_000_000),
        ),
    ),
    unfilled=(Unfilled(Name("public", "odd"), "no value of x satisfies check odd_check"),),
    findings=tuple(FailsWithRows().detect(RUN)),
    skipped=(Skipped("revision b", "the time of --budget was over"),),
    facts={"server": "PostgreSQL 18.6"},
)


def written(format: str) -> str:
    stream = io.StringIO()
    write(RESULT, Output(format), stream, full=False)
    return stream.getvalue()


def test_the_document_is_as_promised() -> None:
    result = document(RESULT)
    assert result["version"] == 1
    (revision,) = result["revisions"]
    assert revision["revision"] == "a"
    assert revision["database"] == "shop"
    assert revision["wal_bytes"] == 5000
    (table,) = revision["tables"]
    assert (table["table"], table["rows"], table["read_wait_s"], table["write_wait_s"]) == (
        "public.orders",
        1_000_000,
        0.0,
        4.1,
    )
    assert table["predicted"]["rows"] == 100_000_000
    assert table["predicted"]["write_wait_s"] == 420.0
    (statement,) = revision["statements"]
    assert (statement["location"], statement["seconds"], statement["rows"]) == (
        {"path": "versions/a.py", "line": 9},
        4.0,
        12,
    )
    assert result["unfilled"] == [{"table": "public.odd", "reason": "no value of x satisfies check odd_check"}]
    assert [finding["pattern"] for finding in result["findings"]] == ["fails-with-rows"]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_names_the_finding(format: str) -> None:
    assert "fails-with-rows" in written(format)


def test_people_read_what_production_waits() -> None:
    text = written("text")
    assert "orders: writes wait 4.1 s at 1 M rows, linear: about 7 min at 100 M (6 min to 8 min)" in text
    assert "no rows in public.odd: no value of x satisfies check odd_check" in text
    assert "skipped: revision b: the time of --budget was over" in text
    assert json.loads(written("json")) == json.loads(json.dumps(document(RESULT), default=str))


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("5m", 300), ("5min", 300), ("1h", 3600), ("2", 120)])
def test_a_budget_is_a_time(text: str, expected: float) -> None:
    assert seconds_of(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("2GB", 2 << 30), ("500 MB", 500 << 20), ("1024", 1024)])
def test_a_limit_of_the_disk_is_a_size(text: str, expected: int) -> None:
    assert bytes_of(text) == expected


@pytest.mark.parametrize("text", ["", "0s", "-5m", "5 weeks"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        seconds_of(text)


def test_a_server_without_the_marker_is_refused(server: ThrowawayServer, tmp_path: Path) -> None:
    url = server.url("postgres").render_as_string(hide_password=False)
    with pytest.raises(PgPatternsError, match=f"has no database {MARKER}"), rehearsal_server(Settings(server=url)):
        pass


def test_a_marker_with_something_in_it_is_refused_and_an_empty_one_is_not(server: ThrowawayServer) -> None:
    url = server.url("postgres").render_as_string(hide_password=False)
    server.create_database(MARKER)
    try:
        with rehearsal_server(Settings(server=url)) as given:
            assert given.log is None
        with server.connect(MARKER) as connection:
            connection.execute("CREATE TABLE t ()")
        with pytest.raises(PgPatternsError, match="is not empty"), rehearsal_server(Settings(server=url)):
            pass
    finally:
        server.drop_database(MARKER)
