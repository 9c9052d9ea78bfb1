"""Small projects of real frameworks, run by their own programs; extra ``frameworks``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NOBODY = "postgresql+psycopg://nobody:secret@db.example.invalid:5432/app"
"""A database that does not exist: whatever works did not use it."""


WITH_PLUGIN = """\
target_metadata=target_metadata,
            autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"],
"""
"""What the guide adds to the last argument of context.configure()."""


GUIDE = (Path(__file__).parents[2] / "docs/frameworks.md").read_text()


def from_guide(section: str, language: str, number: int = 0) -> str:
    """A block of code of the guide: what the guide says is what the tests do."""
    text = GUIDE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [block.partition("```")[0] for block in text.split(f"```{language}\n")[1:]][number]


@dataclass
class Framework:
    """A copy of a project, and its environment variables."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a Python program's module in the project; its exit code must be as expected."""
        kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CI")}
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={**kept, **self.variables},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a file as a guide says."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}:\n{text}"
        file.write_text(text.replace(old, new))

    def versions(self, folder: str = "migrations/versions") -> str:
        """The text of all revisions."""
        return "\n".join(path.read_text() for path in sorted((self.folder / folder).glob("*.py")))


@pytest.fixture
def framework(request: pytest.FixtureRequest, tmp_path: Path) -> Framework:
    """The project beside the test that has the test file's name: ``test_litestar.py`` has ``litestar/``."""
    name = request.path.stem.removeprefix("test_")
    shutil.copytree(request.path.with_name(name), tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    return Framework(tmp_path / "project")
