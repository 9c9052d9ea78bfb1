"""The sdist holds what its own tests need: built, unpacked, and tested from there."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="extra test")

ROOT = Path(__file__).parent.parent
TESTS = ("tests/findings", "tests/test_layers.py", "tests/test_project_files.py", "tests/report/test_formats.py")
"""A room with servers, and those tests that read the most files of the repository."""


def run(command: list[str], folder: Path, **variables: str) -> str:
    result = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return result.stdout


@pytest.mark.long
def test_it_passes_its_own_tests(tmp_path: Path) -> None:
    run([sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)], ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.name.removesuffix(".tar.gz")
    # An installed package comes after this folder, so what is tested is what was unpacked.
    inside = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    program = "import alembic_pgpatterns; print(alembic_pgpatterns.__file__)"
    assert run([sys.executable, "-c", program], folder, **inside).startswith(str(folder))
    output = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS], folder, **inside)
    assert " passed" in output
