"""Code blocks in the README and the guides: what can run is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alembic_pgpatterns.report import pages
from alembic_pgpatterns.settings import Settings

ROOT = Path(__file__).parent.parent
WRITTEN = set(pages.files())
GUIDES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in WRITTEN)]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[tuple[str, str]]:
    found = []
    for path in GUIDES:
        for number, match in enumerate(FENCE.finditer(path.read_text()), 1):
            if match[1] in languages:
                found.append((f"{path.name}-{number}", match[2]))
    return found


def parametrized(*languages: str) -> pytest.MarkDecorator:
    found = blocks(*languages)
    return pytest.mark.parametrize("code", [code for _, code in found], ids=[name for name, _ in found])


@parametrized("python")
def test_python_compiles(code: str) -> None:
    compile(code, "<guide>", "exec")


@parametrized("toml")
def test_settings_are_settings(code: str, tmp_path: Path) -> None:
    if "alembic_pgpatterns" not in code:
        pytest.skip("not ours")
    (tmp_path / "pyproject.toml").write_text(code)
    assert Settings.read(None, tmp_path / "pyproject.toml").sources


def commands() -> list[str]:
    """The `$ alembic …` lines of the guides that need no more than a project, each once."""
    lines = (line for _, code in blocks("console") for line in code.splitlines())
    found = (line.removeprefix("$ ").split("  #")[0].strip() for line in lines if line.startswith("$ alembic "))
    return sorted({command for command in found if "--live" not in command})


@pytest.mark.parametrize("command", commands())
def test_commands_run_in_the_sample_project(command: str, tmp_path: Path) -> None:
    project = tmp_path / "sample"
    shutil.copytree(ROOT / "sample_project", project, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    run = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=project,
        env={**os.environ, "DATABASE_URL": "postgresql+psycopg://nobody@db.example.invalid/shop"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr


def test_links_lead_somewhere() -> None:
    for path in GUIDES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
