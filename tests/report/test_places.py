"""Where a finding is shown in a file if its own place is unknown or outside of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.report.places import file_and_line, uri_and_line
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
