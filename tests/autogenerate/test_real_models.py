"""The models of real applications: all of them by autogenerate from nothing, then changes of every kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from projects import recipe  # noqa: E402

RECIPES = [item for item in map(recipe.read, recipe.names()) if item.models]
LONG = ("aiida-core", "buildbot", "jupyterhub", "optuna", "rucio")
"""The applications of the long rooms: they install in seconds, and their models are unlike each other."""
CHANGES = {"long": 10, "real": 44}


@pytest.mark.parametrize(
    ("project", "changes"),
    [
        pytest.param(item, CHANGES[room], id=item.name, marks=getattr(pytest.mark, room))
        for item in RECIPES
        for room in ("long" if item.name in LONG else "real",)
    ],
)
def test_models_of_a_real_application(project: recipe.Recipe, changes: int, tmp_path: Path) -> None:
    place = recipe.Workplace(project, tmp_path)
    recipe.install(tmp_path / "venv", [*project.requirements, f"--editable={ROOT}[embedded]"], project.overrides)
    for name, text in project.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    variables = {**os.environ, **place.environment("postgresql+psycopg2://nobody@pgpatterns.invalid/nothing")}
    script = Path(__file__).with_name("real_models.py")
    command = [place.programs / "python", "-W", "ignore", script, project.models, "--changes", str(changes)]
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
