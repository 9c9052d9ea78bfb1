"""What is written, and the line in env.py, in a Python that has Alembic and the driver, and not this package."""

from __future__ import annotations

import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from alembic_pgpatterns.autogenerate.target.adoption import adoption
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.bring_to_head import OPT_IN
from alembic_pgpatterns.patterns import Finding, Severity
from tests.autogenerate.conftest import AlembicProject
from tests.autogenerate.test_revision_chain import NEEDED
from tests.autogenerate.test_templates import AFTER, BEFORE

START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from alembic.config import main; main(sys.argv[1:])"


def test_the_line_for_env_py_tolerates_our_absence(make_project: Callable[..., AlembicProject], tmp_path: Path) -> None:
    project = make_project(way="")
    project.env("from alembic import context", "from importlib.util import find_spec\nfrom alembic import context")
    project.configure(OPT_IN.rstrip(","))
    for code in (BEFORE, AFTER):
        project.models(code)
        project.revise()
        project.alembic("upgrade", "head")
        assert project.clean()
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in map(Path, site.getsitepackages()):
        for found in (path for name in NEEDED for path in folder.glob(name)):
            (packages / found.name).symlink_to(found)

    def alone(*arguments: str) -> str:
        command = [sys.executable, "-S", "-c", START, str(packages), "-c", str(project.ini), *arguments]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
        return f"{done.returncode} {done.stdout}{done.stderr}"

    for arguments in (["downgrade", "base"], ["upgrade", "head"]):
        assert alone(*arguments).startswith("0 ")
    assert project.clean()
    found = alone("check")
    assert "New upgrade operations detected" in found
    assert "ix_book_author_id" in found


def test_entries_of_one_database_among_several(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    (tmp_path / settings.baseline).write_text("varchar-length public.t.s @shop\n")
    finding = Finding("varchar-length", Severity.WARNING, "public.t.s", "…", "varchar-length public.t.s")
    assert adoption(settings, True, "shop").accepts(finding)
    assert not adoption(settings, True, "other").accepts(finding)
