"""The fixture ``pgcheck`` in a project's own suite, run by a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import Project, make


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make(tmp_path)
    project.env(head="import logging.config; logging.config.dictConfig({'version': 1})")
    project.sql("a1", "CREATE TABLE note (line text)")
    project.write("pytest.ini", "[pytest]\npgpatterns_arguments = --select constraints\n")
    project.write("test_schema.py", "def test_schema(pgcheck):\n    assert not pgcheck.findings\n")
    return project


def run(project: Project, *, autoload: bool = False) -> subprocess.CompletedProcess[str]:
    """``autoload``: with all the plugins of this environment; else with ours alone, which takes half the time."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(project.folder)]
    if not autoload:
        command += ["-p", "alembic_pgpatterns.pytest_plugin"]
    variables = {} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    settings = {"cwd": project.folder, "env": {**os.environ, **variables}, "timeout": 300}
    return subprocess.run(command, **settings, capture_output=True, text=True, check=False)


def test_a_failure_shows_the_report(project: Project) -> None:
    result = run(project, autoload=True)
    assert result.returncode == 1
    assert "<error missing-primary-key:" in result.stdout
    assert "1 finding (1 error)" in result.stdout
    assert "revision a1" in result.stdout


@pytest.mark.long
def test_the_baseline_and_arguments_count(project: Project) -> None:
    project.write("pgpatterns-baseline.txt", "missing-primary-key public.note\n")
    assert run(project).returncode == 0
    project.write("pgpatterns-baseline.txt", "")
    project.write("pytest.ini", "[pytest]\npgpatterns_arguments = --select constraints --ignore *-key\n")
    assert run(project).returncode == 0


@pytest.mark.long
def test_the_ini_may_be_elsewhere(project: Project) -> None:
    (project.folder / "db").mkdir()
    for name in ("alembic.ini", "migrations"):
        (project.folder / name).rename(project.folder / "db" / name)
    missing = run(project)
    assert missing.returncode == 1
    assert "could not be done" in missing.stdout
    project.write("pytest.ini", "[pytest]\npgpatterns_alembic_ini = db/alembic.ini\n")
    assert "missing-primary-key" in run(project).stdout


def test_it_costs_nothing_unless_used(project: Project) -> None:
    project.write(
        "test_schema.py",
        "import sys\n\ndef test_nothing_is_loaded():\n"
        "    heavy = {'sqlalchemy', 'alembic', 'psycopg', 'rich', 'libcst'} & set(sys.modules)\n"
        "    assert not heavy and 'alembic_pgpatterns.pytest_plugin' in sys.modules\n",
    )
    # Other plugins of this environment import what they like.
    result = run(project, autoload=False)
    assert result.returncode == 0, result.stdout
