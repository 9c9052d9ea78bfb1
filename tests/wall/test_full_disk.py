"""A file system that is full at any moment: the user's files are all as before, or all as they were to become.

A file system of its own for the project, with less and less room (root only). The server's files are elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix.model_files import project_of
from tests.projects import Project

ROOM = (0, 4, 8, 16, 28, 40, 64, 96, 160)
"""In KiB, in pages of 4: each lets a command come further."""
COMMANDS = {
    "pgfix": ("pgfix", "--all", "--models"),
    "pgrevision": ("pgrevision", "-m", "next"),
    "the baseline": ("pgcheck", "--write-baseline"),
    "reports": ("pgcheck", "--exit-zero", "--format", "json=report.json", "--format", "html=report.html"),
}
SOME = {("pgfix", 28), ("the baseline", 0)}
CASES = [
    pytest.param(command, room, marks=[] if (command, room) in SOME else [pytest.mark.long])
    for command in COMMANDS
    for room in ROOM
]


@pytest.fixture
def disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgtest-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
    folder.rmdir()


def fill(folder: Path, room: int) -> None:
    """Leave so many KiB."""
    status = os.statvfs(folder)
    used = (status.f_bavail * status.f_frsize) - room * 1024
    (folder / "ballast").write_bytes(bytes(used))


def files(project: Project) -> dict[str, bytes]:
    paths = (path for path in project.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(project.folder)): path.read_bytes() for path in paths if path.name != "ballast"}


@pytest.mark.long
@pytest.mark.parametrize(("command", "room"), CASES)
@pytest.mark.sample(2)
def test_all_of_it_or_nothing(command: str, room: int, disk: Path) -> None:
    project = project_of(disk, 6)
    if command == "pgrevision":
        added = (disk / "shop" / "t001.py").read_text() + "    note = mapped_column(Text)\n"
        (disk / "shop" / "t001.py").write_text(added)
    before = files(project)
    fill(disk, room)
    run = project.alembic(*COMMANDS[command], PYTHONDONTWRITEBYTECODE="1")
    after = files(project)
    assert "Traceback" not in run.stderr and "internal error" not in run.stderr, run.stderr
    if run.returncode == 255:
        assert "FAILED: " in run.stderr
        # Of several reports those that were written are whole.
        json.loads(after.pop("report.json", b"{}"))
        assert after == before, run.stderr
        assert "No space left" in run.stderr, run.stderr
    else:
        assert run.returncode in (0, 1), run.stderr
        assert len(after) > len(before)
        assert not [name for name in after if "pgpatterns-" in name and "baseline" not in name]


@pytest.mark.parametrize("room", [0, pytest.param(64, marks=pytest.mark.long)])
def test_a_cache_without_room_is_none(room: int, disk: Path, tmp_path: Path) -> None:
    project = project_of(tmp_path, 6)
    fill(disk, room)
    variables = {"XDG_CACHE_HOME": str(disk), "PGPATTERNS_NO_CACHE": ""}
    run = project.alembic("pgcheck", "--exit-zero", **variables)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
