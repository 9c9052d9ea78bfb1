"""Where a finding is shown in a file if its own place is unknown or outside of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.places import displayed, file_and_line, uri_and_line
from alembic_pgpatterns.schema.model import Location

FINDING = Finding("own", Severity.INFO, "x", "x is wrong", "own x")


def test_place_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert file_and_line(FINDING) == ("sub/alembic.ini", 1), "if neither file is there"
    (tmp_path / "sub" / "pyproject.toml").touch()
    assert file_and_line(FINDING) == ("sub/pyproject.toml", 1)
    (tmp_path / "sub" / "alembic.ini").touch()
    assert file_and_line(FINDING.but(location=Location("/elsewhere/a.py", 7))) == ("sub/alembic.ini", 1)
    assert file_and_line(FINDING.but(location=Location("a b.py", 0))) == ("sub/a b.py", 1)
    assert file_and_line(FINDING.but(location=Location("../a.py", 7)))[1] == 7
    assert uri_and_line(FINDING.but(location=Location("a b.py", 7))) == ("sub/a%20b.py", 7)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sub/a.py", "sub/a.py"),
        ("{here}/a.py", "a.py"),
        ("{repository}/models/a.py", "../models/a.py"),
        ("{other}/.venv/lib/python3.12/site-packages/library/base.py", "library/base.py"),
        ("{other}/project/app/a.py", "app/a.py"),
        ("{other}/loose/a.py", "a.py"),
    ],
)
def test_no_folder_of_this_machine_is_shown(
    path: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, other = tmp_path / "repository", tmp_path / "other"
    for folder in (repository / ".git", repository / "sub", other / "project" / ".git", other / "project" / "app"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(repository / "sub")
    full = path.format(here=Path.cwd(), repository=repository, other=other)
    assert str(displayed(Location(full, 7))) == f"{expected}:7"
