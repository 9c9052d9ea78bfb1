"""Where the files of a run are: in memory only where there is plenty, and nobody said otherwise."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alembic_pgpatterns.server import memory, watchdog
from alembic_pgpatterns.server.find_account import server_account
from alembic_pgpatterns.server.folder import run_root, run_roots
from alembic_pgpatterns.server.throwaway import throwaway_server


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in memory that counts as one with plenty."""
    if not memory.FOLDER.is_dir():
        pytest.skip("no /dev/shm here")
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(memory, "_PLENTY", 0)
    return memory.FOLDER


def test_a_run_is_in_memory_and_leaves_nothing_there(shared: Path) -> None:
    with throwaway_server() as server, server.connect() as connection:
        assert server.folder.parent == shared
        assert connection.execute("SELECT 1").fetchone() == (1,)
        folder = server.folder
    assert not folder.exists()


def test_tmpdir_is_heeded(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    assert memory.memory_folder() is None


def test_little_memory_is_left_alone(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PLENTY", shutil.disk_usage(shared).total + 1)
    assert memory.memory_folder() is None
    assert run_root(server_account(), 30) == run_roots()[0]


def test_what_was_left_in_memory_is_swept() -> None:
    assert memory.FOLDER in run_roots()


MAKE = """
import ctypes, sys
print(ctypes.CDLL(None).shmget(0, int(sys.argv[1]), 0o1600))
"""


@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="reads the list of shared memory in /proc")
def test_shared_memory_of_a_helper_that_was_killed_is_freed(tmp_path: Path) -> None:
    """System V memory stays when its creator ends. What PostgreSQL cannot have made stays."""
    made = [
        subprocess.run([sys.executable, "-c", MAKE, size], capture_output=True, text=True, check=True).stdout.strip()
        for size in ("56", "57")
    ]
    watchdog.free_abandoned(str(tmp_path))
    there = {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}
    assert [number in there for number in made] == [False, True]
    watchdog.release(int(made[1]))
