"""One project per way to reach a production server, by every command: none arrives, and nothing stays behind.

By default a few of them run; with the marker ``long`` all, each also by another command.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.fences import seccomp
from tests.wall.kinds_of_python import NEEDED
from tests.wall.production import Production, production
from tests.wall.samples import IMPORT, Sample, all_samples, write

SAMPLES = all_samples()
NAMES = tuple(SAMPLES)
COMMANDS = {
    "pgcheck": ("pgcheck", "--exit-zero", "--no-cache"),
    "pgcheck --create-all": ("pgcheck", "--exit-zero", "--create-all"),
    "pgrevision": ("pgrevision", "-m", "next"),
    "pgfix": ("pgfix", "--all", "--models"),
    "pgrehearse": ("pgrehearse", "--rows", "20", "--budget", "20s", "--exit-zero"),
    "pgadvise": ("pgadvise", "--no-cache"),
}
OTHERS = tuple(COMMANDS)[1:]

pytestmark = pytest.mark.skipif(
    not seccomp.available(), reason="the kernel has no seccomp with user notification (Linux 5.5, x86-64 or ARM64)"
)


@pytest.fixture(scope="module")
def target() -> Iterator[Production]:
    with production() as server:
        yield server


def left_over(mark: str) -> list[str]:
    """Processes that have the mark in their environment or command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            if mark.encode() in text and " Z " not in (entry / "stat").read_text():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def try_out(folder: Path, sample: Sample, command: str, target: Production) -> None:
    project = write(folder, sample, target)
    before = target.by_way
    mark = f"PGPATTERNS_WALL={folder}"
    run = project.alembic(
        *COMMANDS[command], **target.environment, PGPATTERNS_WALL=str(folder), CI="", HOME=str(folder)
    )
    assert target.by_way == before, run.stderr
    assert "internal error" not in run.stderr
    assert run.returncode in (0, 1, 255), run.stderr
    assert (run.returncode == 255) == ("FAILED: " in run.stderr), run.stderr
    deadline = time.monotonic() + 20
    while left_over(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_over(mark) == []
    assert target.by_way == before, run.stderr
    if command == sample.command and "prepare.sql" not in sample.files:
        assert (folder / "tried").exists(), run.stderr


def test_there_are_enough() -> None:
    assert len(SAMPLES) >= 100


@pytest.mark.sample(29)
@pytest.mark.parametrize("name", NAMES)
def test_production_is_not_reached(name: str, target: Production, tmp_path: Path) -> None:
    words = set(re.findall(r"[\w-]+", SAMPLES[name].files.get("command", "")))
    absent = [program for program in NEEDED if program in words and shutil.which(program) is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} is not installed, so the sample would prove nothing")
    try_out(tmp_path, SAMPLES[name], SAMPLES[name].command, target)


@pytest.mark.long
@pytest.mark.parametrize(("name", "command"), [(name, OTHERS[n % len(OTHERS)]) for n, name in enumerate(NAMES)])
def test_nor_by_another_command(name: str, command: str, target: Production, tmp_path: Path) -> None:
    try_out(tmp_path, SAMPLES[name], command, target)


def test_another_interpreter_is_fenced_from_its_start(target: Production, tmp_path: Path) -> None:
    """Agents of monitoring begin in sitecustomize or in a .pth file, before anything of the project is imported."""
    project = write(tmp_path, Sample(), target)
    venv.create(tmp_path / "env", with_pip=False)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    packages.joinpath("agent.py").write_text(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{IMPORT}")
    code = "import agent; agent.tried('x'); agent.quiet(agent.tcp); agent.quiet(agent.unix); print('from the start')"
    packages.joinpath("agent.pth").write_text(f"{site_packages()}\n{code}\n")
    packages.joinpath("sitecustomize.py").write_text("from agent import *\nquiet(tcp)\nprint('customized')\n")
    before = target.by_way
    program = [sys.executable, "-m", "alembic_pgpatterns", "pgcheck", "--format", "json", "--exit-zero"]
    program += ["--python", str(tmp_path / "env" / "bin" / "python")]
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (project.folder / "tried").exists(), run.stderr
    assert target.by_way == before, run.stderr
    assert json.loads(run.stdout)["findings"] is not None, run.stderr


def site_packages() -> str:
    """Where Alembic and its like are."""
    import alembic

    return str(Path(str(alembic.__file__)).parent.parent)
