"""A second run of pgfix has nothing to do, and what the first one wrote is the models' state as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fix.model_files import project_of
from tests.projects import Project


def files(project: Project) -> dict[str, bytes]:
    paths = (path for path in project.folder.rglob("*") if path.suffix in (".py", ".toml", ".txt"))
    return {str(path.relative_to(project.folder)): path.read_bytes() for path in paths}


@pytest.mark.long
@pytest.mark.parametrize("count", [12, pytest.param(101, marks=pytest.mark.long)])
@pytest.mark.parametrize("chosen", [("--all",), ("--select", "indexes,types")], ids=" ".join)
def test_a_second_run_changes_nothing(count: int, chosen: tuple[str, ...], tmp_path: Path) -> None:
    project = project_of(tmp_path, count)
    before = files(project)
    first = project.alembic("pgfix", *chosen, "--models")
    after = files(project)
    assert len(after) > len(before), first.stderr
    assert "Models and database agree" in first.stdout, first.stdout
    second = project.alembic("pgfix", *chosen, "--models")
    assert files(project) == after, second.stdout
    assert "pgfix: 0 findings fixed" in second.stdout, second.stderr
    assert second.returncode in (0, 1)
