"""What did not run was not checked: no command ends with 0 then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import BOOKS_AND_AUTHORS, Project, make

SCHEMA = """
CREATE TABLE author (id bigint PRIMARY KEY);
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author, title varchar(255))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.write("alembic.ini", INI)
    project.sql("a1", SCHEMA)
    project.write("tables.py", BOOKS_AND_AUTHORS)
    return project


INI = (
    "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n"
    "sqlalchemy.url = postgresql+psycopg://nobody:secret@db.example.invalid/shop\n"
)
MODELS = "from tables import Base\ntarget_metadata = Base.metadata\n"
OWN_PROGRAM = "raise RuntimeError('only from our own program')"
MISTAKES = (
    pytest.param("target_metadata = Bsae.metadata", marks=pytest.mark.long),
    pytest.param("import sys; sys.exit(0)", marks=pytest.mark.long),
    pytest.param("import os; os.environ['SHOP_URL']", marks=pytest.mark.long),
)
COMMANDS = ("pgcheck --exit-zero", "pgrevision -m more", "pgfix --all", "pgrehearse")


def refused(project: Project, command: str, **environment: str) -> str:
    run = project.alembic(*command.split(), **environment)
    assert run.returncode == 255, run.stdout + run.stderr
    assert "FAILED: " in run.stderr and "internal error" not in run.stderr
    return run.stderr


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("line", [OWN_PROGRAM, "pass", *MISTAKES])
@pytest.mark.sample(4)
def test_env_py_that_does_not_work(project: Project, command: str, line: str) -> None:
    """The models would be found in the project's files; that env.py fails may still be a mistake."""
    project.write("migrations/env.py", line)
    assert "env.py" in refused(project, command)


@pytest.mark.long
def test_env_py_that_fails_after_everything_was_accepted(project: Project) -> None:
    project.env(models=MODELS)
    assert project.alembic("pgcheck", "--write-baseline").returncode == 0
    assert project.alembic("pgcheck", CI="true").returncode == 0
    project.env(models=f"{MODELS}{OWN_PROGRAM}\n")
    assert "only from our own program" in refused(project, "pgcheck", CI="true")


@pytest.mark.long
def test_env_py_that_fails_where_the_settings_name_the_models(project: Project) -> None:
    """A decision: env.py is not needed. ``--init`` does not take it for the user."""
    project.write("migrations/env.py", OWN_PROGRAM)
    assert 'models = ["app.models:Base"]' in refused(project, "pgcheck --init")
    assert "models" not in (project.folder / "alembic.ini").read_text()
    assert not (project.folder / "pyproject.toml").exists()
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nmodels = ["tables:Base"]\n')
    run = project.alembic("pgcheck", "--exit-zero")
    assert run.returncode == 0 and "skipped: env.py: it failed" in run.stdout


@pytest.mark.parametrize("command", ["pgcheck", "pgfix --all", "pgrehearse"])
def test_a_project_without_a_revision(project: Project, command: str) -> None:
    (project.folder / "tables.py").unlink()
    (project.versions / "a1.py").unlink()
    assert "There is nothing to" in refused(project, command)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-c", "nope.ini", "pgcheck"), "-c: there is no nope.ini."),
        (("-c", "nope.ini", "pgrevision", "-m", "more"), "-c: there is no nope.ini."),
        (("pgcheck", "--explain", ""), "--explain: no pattern ''"),
    ],
)
def test_wrong_use_does_not_run_something_else(project: Project, arguments: tuple[str, ...], message: str) -> None:
    run = project.alembic(*arguments)
    assert run.returncode == 2 and message in run.stderr and not run.stdout


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("/bin/true", "it ended at once (exit code 0)"),
        ("no/such/python", "there is no such file"),
        ("alembic.ini", "it cannot be started"),
    ],
)
def test_an_interpreter_that_is_none(project: Project, program: str, reason: str) -> None:
    error = refused(project, f"pgcheck --python {program}")
    assert f"cannot run the project: {reason}. It must be a Python with Alembic" in error
    assert "Traceback" not in error and "os._exit" not in error


PLUGIN = '''
from alembic_pgpatterns.patterns import SchemaPattern


class ShortName(SchemaPattern):
    """A table whose name is too short."""

    def detect(self, schema):
        """Tables."""
        for table in schema.checked_tables():
            yield {finding}
'''


def test_a_plugin_that_gives_a_name_in_place_of_the_table(project: Project) -> None:
    project.write("house_rules.py", PLUGIN.format(finding="self.finding(table.name, 'short')"))
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nplugins = ["house_rules"]\n')
    error = refused(project, "pgcheck")
    assert "give the table, the column or the constraint itself, not its name" in error and "house_rules.py:" in error


@pytest.mark.parametrize(
    ("finding", "problem"),
    [
        (
            "self.finding(table, 'short', 'Rename it.')",
            "remedy of its finding about public.author is 'Rename it.' (str)",
        ),
        ("'a short name'", "`detect` gave 'a short name' (str)"),
    ],
)
def test_a_plugin_that_gives_something_else(project: Project, finding: str, problem: str) -> None:
    project.write("house_rules.py", PLUGIN.format(finding=finding))
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\nplugins = ["house_rules"]\n')
    error = refused(project, "pgcheck")
    assert "The pattern short-name is not right" in error and problem in error
