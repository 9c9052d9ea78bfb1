"""``alembic pgrehearse`` and ``pgrevision --rehearse`` as a user runs them, and what goes wrong there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alembic.config import CommandLine

from alembic_pgpatterns.rehearsal.server import MARKER
from alembic_pgpatterns.server.throwaway import ThrowawayServer
from tests.projects import Project, make

FEW = ("--rows", "400")
LOAD = "import sys; sys.path.insert(0, '.')\nfrom shop_models import metadata as target_metadata"
PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]'
MODELS = """
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("author", metadata, Column("id", Integer, primary_key=True), Column("age", Integer{constraint}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two revisions, of which the second fails as soon as there is a row, in the current folder."""
    made = make(tmp_path)
    made.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    made.sql("b2", "ALTER TABLE t ALTER name SET NOT NULL", down="a1")
    monkeypatch.chdir(tmp_path)
    return made


def pgrehearse(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """The exit code and what is printed, in this very process."""
    with pytest.raises(SystemExit) as ended:
        CommandLine(prog="alembic").main(["pgrehearse", *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return ended.value.code, out, err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--rows", "0"), "--rows: 0 is not a number of rows from 1 to"),
        (("--rows", "-5"), "--rows: -5 is not a number of rows from 1 to"),
        (("--rows", "10000000000000"), "is not a number of rows from 1 to"),
        (("--budget", "soon"), "--budget: 'soon' is not a time such as 90s"),
        (("--disk=-1GB",), "--disk: '-1GB' is not a size such as 500MB"),
        (("zzz",), "REV: "),
        (("--since", "zzz"), "--since: "),
        (("--seed-rows", "missing.sql", *FEW), "missing.sql"),
        (("--stats", "missing.txt", *FEW), "missing.txt"),
    ],
)
def test_wrong_use_is_said(
    arguments: tuple[str, ...], expected: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = pgrehearse(capsys, *arguments)
    assert (code, out) == (2, "")
    assert expected in err


def rehearsed(project: Project, *arguments: str) -> tuple[int, str, str]:
    """The exit code, what is printed, and what is said on stderr."""
    run = project.alembic("pgrehearse", *arguments)
    assert "Traceback" not in run.stderr
    return run.returncode, run.stdout, run.stderr


@pytest.mark.long
def test_a_database_that_prepare_builds_at_a_revision(project: Project) -> None:
    """As of a history whose first revisions are gone, or do not start from an empty database."""
    project.write(
        "before.sql",
        "CREATE TABLE t (id bigint PRIMARY KEY, name text); CREATE TABLE alembic_version (version_num varchar(32)); "
        "INSERT INTO alembic_version VALUES ('a1')",
    )
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nprepare = "before.sql"\n')
    code, out, _ = rehearsed(project, "--since", "a1", *FEW)
    assert code == 1
    assert "fails-with-rows" in out
    checked = project.alembic("pgcheck", "--since", "a1", "--all")
    assert "blocking-not-null" in checked.stdout
    assert "NOT CHECKED" not in checked.stdout + checked.stderr


def test_own_rows_that_fail_are_said_with_their_file(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("rows.sql", "INSERT INTO t VALUES (1);\nINSERT INTO no_such_table VALUES (1);")
    code, out, err = pgrehearse(capsys, "b2", "--seed-rows", "rows.sql", *FEW)
    assert (code, out) == (2, "")
    assert "rows.sql" in err
    assert "no_such_table" in err


@pytest.mark.long
def test_a_revision_that_met_no_row_does_not_pass(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the table that it touches counts; that no value suits another one is said, and no more."""
    monkeypatch.setenv("CI", "true")
    impossible = "CREATE TABLE {} (id bigint PRIMARY KEY CHECK (id > 5 AND id < 3), n int)"
    project.sql("c3", f"{impossible.format('mine')}; {impossible.format('other')}", down="b2")
    project.sql("d4", "ALTER TABLE mine ALTER n SET NOT NULL", down="c3")
    project.sql("e5", "ALTER TABLE t ADD y int", down="d4")
    code, out, err = rehearsed(project, "d4", *FEW)
    reason = "no value of id satisfies check mine_id_check"
    assert code == 255
    assert f"no rows in public.mine: {reason}" in out
    assert "nobody waits" not in out
    assert out.endswith("no findings, but not everything was rehearsed\n")
    assert "FAILED: not everything was checked:" in err
    assert f"revision d4 on rows of public.mine: {reason}" in err
    assert "public.other" not in err
    for arguments in (("d4", "--allow-skipped"), ("e5",)):
        code, out, err = rehearsed(project, *arguments, *FEW)
        assert (code, err) == (0, "")
        assert f"no rows in public.mine: {reason}" in out


def test_a_rehearsal_from_end_to_end(project: Project) -> None:
    formats = ("--format=text", "--format=json=result.json", "--format=html=r.html")
    code, out, err = rehearsed(project, *FEW, *formats)
    assert (code, err) == (1, "")
    assert "error fails-with-rows: the upgrade runs on empty tables and fails on rows" in out
    assert "migrations/versions/b2.py:" in out
    document = json.loads((project.folder / "result.json").read_text())
    assert document["version"] == 1
    assert [item["revision"] for item in document["revisions"]] == ["a1", "b2"]
    assert [item["table"] for item in document["revisions"][1]["tables"]] == ["public.t"]
    assert "fails-with-rows" in (project.folder / "r.html").read_text()


@pytest.mark.long
def test_the_plan_shows_what_was_measured(project: Project) -> None:
    project.sql("c3", "LOCK TABLE t; SELECT pg_sleep(0.3)", down="b2")
    code, out, _ = rehearsed(project, "c3", *FEW, "--plan")
    assert code == 0
    (line,) = [line for line in out.splitlines() if "public.t" in line]
    assert "ACCESS EXCLUSIVE" in line
    assert "wait" in line


@pytest.mark.long
def test_a_server_of_the_users_with_a_role_that_may_only_create_databases(
    project: Project, server: ThrowawayServer
) -> None:
    """Foreign keys and triggers run there while the tables are filled. Nothing stays."""
    url = server.url("postgres").set(drivername="postgresql", username="rehearsal").render_as_string(False)
    with server.connect() as connection:
        connection.execute("CREATE ROLE rehearsal LOGIN CREATEDB")
        server.create_database(MARKER)
        try:
            before = set(connection.execute("SELECT datname FROM pg_database"))
            code, out, err = rehearsed(project, "b2", *FEW, "--server", url)
            after = set(connection.execute("SELECT datname FROM pg_database"))
        finally:
            server.drop_database(MARKER)
            connection.execute("DROP ROLE rehearsal")
    assert (code, err) == (1, "")
    assert "fails-with-rows" in out
    assert "(the server at " in out
    assert after == before


@pytest.mark.long
def test_new_files_are_rehearsed(tmp_path: Path) -> None:
    """Two authors of one age stand in the way of the new file, which nobody sees on empty tables."""
    shop = make(tmp_path)
    shop.write("shop_models.py", MODELS.format(constraint=""))
    shop.env(models=LOAD, options=PLUGIN)
    shop.alembic("pgrevision", "-m", "authors", "--rev-id", "a1")
    refused = shop.alembic("pgrevision", "-m", "nothing", "--rehearse", "0")
    assert refused.returncode == 2
    assert "--rehearse: 0 is not a number of rows" in refused.stderr
    shop.write("shop_models.py", MODELS.format(constraint=", unique=True"))
    second = shop.alembic("pgrevision", "-m", "ages", "--rehearse", "400")
    assert second.returncode == 0, second.stderr
    assert "up, down and up again" in second.stdout
    assert " on rows, PostgreSQL" in second.stdout
    assert "fails-with-rows" in second.stdout


def test_a_revision_that_fails_without_rows_is_no_success(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.sql("a1", "CREATE TABLE book (id bigint PRIMARY KEY)")
    project.revision("b2", "import os; os._exit(0)", "a1")
    run = project.alembic("pgrehearse", "b2", "--rows", "20", "--exit-zero", CI="")
    assert run.returncode == 255, run.stdout
    assert "FAILED: not everything was checked:" in run.stderr and "b2.py:12" in run.stderr
