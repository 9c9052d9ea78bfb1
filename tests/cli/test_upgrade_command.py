"""An ``upgrade_command`` that is told where to stop: the project's own program runs the revisions, one by one."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.projects import Project, make

COMMAND = "python -m alembic upgrade {revision}"
HEAD = """
import os, sqlalchemy
if "SHOP_URL" not in os.environ:
    raise RuntimeError("only the program of the project can run this")
"""
ENGINE = "sqlalchemy.create_engine(os.environ['SHOP_URL'])"
BESIDE = "connection.execute(sqlalchemy.text('CREATE TABLE IF NOT EXISTS beside (x int)')); connection.commit(); "


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A program that makes a table beside its revisions, and keeps their names in a table of its own."""
    project = make(tmp_path)
    project.env(head=HEAD, engine=ENGINE, options="version_table='shop_alembic_version'")
    env = project.folder / "migrations/env.py"
    env.write_text(env.read_text().replace("        context.configure(conn", f"        {BESIDE}context.configure(conn"))
    project.sql("a1", "CREATE TABLE a (x text)")
    project.sql("b2", "ALTER TABLE beside ADD COLUMN y varchar(255); CREATE ROLE reader", down="a1")
    project.sql("c3", "ALTER TABLE a ALTER COLUMN x TYPE bigint USING x::bigint", down="b2")
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nenv = { SHOP_URL = "{url}" }\nhistory = 2\n')
    return project


def check(project: Project, command: str, *arguments: str, code: int = 0) -> dict:
    formats = ("--format", "json=report.json", "--format", "text")
    run = project.alembic("pgcheck", *formats, "--exit-zero", "--upgrade-command", command, *arguments)
    assert run.returncode == code, run.stderr
    return json.loads((project.folder / "report.json").read_text()) | {"said": run.stderr}


def test_the_states_between_the_revisions_are_those_of_the_command(project: Project) -> None:
    report = check(project, COMMAND)
    found = {finding["fingerprint"] for finding in report["findings"]}
    assert {"missing-primary-key public.beside", "table-rewrite public.a.x c3"} <= found
    skipped = {item["what"]: item["reason"] for item in report["skipped"]}
    assert not [name for name in skipped if "revision" in name and "older" not in name], skipped


@pytest.mark.long
def test_the_command_runs_where_the_user_stands(project: Project) -> None:
    """With ``-c`` from the folder above: the command of the line and that of the settings see the same folder."""
    name, above = project.folder.name, replace(project, folder=project.folder.parent)
    command = f"python -m alembic -c {name}/alembic.ini upgrade {{revision}}"
    text = (project.folder / "pyproject.toml").read_text()
    for flags, settings in ((["--upgrade-command", command], ""), ([], f"upgrade_command = {command!r}\n")):
        project.write("pyproject.toml", text + settings)
        run = above.alembic("-c", f"{name}/alembic.ini", "pgcheck", "--format", "json", "--exit-zero", *flags)
        assert run.returncode == 0, run.stderr
        assert "missing-primary-key public.beside" in {
            item["fingerprint"] for item in json.loads(run.stdout)["findings"]
        }


@pytest.mark.long
def test_a_failure_names_the_revision_its_file_and_the_command(project: Project) -> None:
    project.sql("b2", "ALTER TABLE nowhere ADD COLUMN y text", down="a1")
    run = project.alembic("pgcheck", "--upgrade-command", COMMAND)
    assert run.returncode == 255
    message = run.stderr
    assert "b2.py: revision b2 failed" in message
    assert "python -m alembic upgrade" in message and 'relation "nowhere" does not exist' in message


@pytest.mark.long
def test_a_revision_that_only_the_command_can_run_is_said_and_passed(project: Project) -> None:
    path = project.sql("b2", "SELECT 1", down="a1")
    path.write_text(path.read_text().replace("def upgrade():", "def upgrade():\n    import os; os.environ['SHOP']", 1))
    report = check(project, f"SHOP=1 {COMMAND}")
    skipped = {item["what"]: item["reason"] for item in report["skipped"]}
    assert "without the command it fails" in skipped["what revision b2 does"]
    assert any(finding["revision"] == "c3" for finding in report["findings"])


def test_a_command_that_goes_on_to_head_is_told(project: Project) -> None:
    report = check(project, "python -m alembic upgrade head # {revision}")
    skipped = {item["what"]: item["reason"] for item in report["skipped"]}
    assert "leave {revision} out" in skipped["the upgrade command"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "written"),
    [("python -m alembic upgrade head", COMMAND), ("sh -c 'python -m alembic upgrade head'", None)],
)
def test_init_tries_whether_the_command_takes_a_revision(project: Project, command: str, written: str | None) -> None:
    check(project, command, "--init", "--no-downgrade")
    settings = tomllib.loads((project.folder / "pyproject.toml").read_text())["tool"]["alembic_pgpatterns"]
    assert settings.get("upgrade_command") == written
