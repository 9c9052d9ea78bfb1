"""What tests run in place of ``python -m alembic`` is that program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.examples import mostly_long
from tests.projects import make

SEEN = "import os, sys; print(os.getcwd(), sys.argv, sys.path[0], os.environ['SEEN'], sys.stdout.encoding, file={})"


@pytest.mark.parametrize(
    "command",
    mostly_long(
        [
            "pgcheck --select missing-primary-key",
            "pgfix --select no-such-pattern",
            "pgrevision -m more",
            "history --no-such-flag",
        ],
        "pgcheck --select missing-primary-key",
        "history --no-such-flag",
    ),
)
@pytest.mark.sample(2)
def test_it_is_the_program(command: str, tmp_path: Path) -> None:
    """Each command once with the imports of its own, in whatever order they come."""
    environment = {**os.environ, "SEEN": "Größe", "NO_COLOR": "1"}
    runs = []
    for name in ("one", "two"):
        folder = tmp_path / name / "shop"
        project = make(folder)
        project.env(head=SEEN.format("sys.stderr") + "; import atexit; atexit.register(print, 'the end')")
        project.sql("a1", "CREATE TABLE a (x text)")
        if name == "one":
            program = [sys.executable, "-m", "alembic", *command.split()]
            run = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        else:
            run = warm.run(command.split(), folder, environment, 60)
        texts = [text.replace(str(folder), "FOLDER") for text in (run.stdout, run.stderr)]
        runs.append((run.returncode, *texts, [path.name[12:] for path in project.versions.glob("*.py")]))
    assert runs[0] == runs[1]


def test_one_that_does_not_end_is_ended(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.env(head="import time; time.sleep(600)")
    project.sql("a1", "CREATE TABLE a (x text)")
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(("upgrade", "head"), tmp_path, os.environ, 0.5)
    assert warm.run(("history",), tmp_path, os.environ, 60).returncode == 0
