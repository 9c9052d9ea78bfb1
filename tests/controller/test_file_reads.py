"""What is read while a revision runs: seen however it is done."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alembic_pgpatterns.controller.cache.dependencies import hold
from alembic_pgpatterns.runner import ambient
from alembic_pgpatterns.runner.file_reads import UNTRACKED, recorded
from alembic_pgpatterns.runner.messages import Dependencies


def _module(path: Path) -> None:
    spec = importlib.util.spec_from_file_location("helper_of_a_test", path)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few files."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.py").write_text("B = 1")
    (tmp_path / "sql").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda folder: (folder / "a.txt").read_bytes(), "a.txt"),
        (lambda folder: os.close(os.open(folder / "a.txt", os.O_RDONLY)), "a.txt"),
        (lambda folder: list((folder / "sql").glob("*.sql")), "sql"),
        (lambda folder: list((folder / "sql").iterdir()), "sql"),
        (lambda folder: _module(folder / "b.py"), "b.py"),
    ],
    ids=["pathlib", "os", "glob", "iterdir", "a module by its file"],
)
def test_it_is_seen(folder: Path, read, name: str) -> None:
    for _ in range(2):  # the second time Python has what it compiled
        seen: set[str] = set()
        with recorded(seen, code=True):
            read(folder)
        assert str(folder / name) in seen
    read(folder)
    unseen: set[str] = set()
    with recorded(unseen, code=True):
        pass
    assert not unseen


def test_what_is_not_there_is_seen_and_what_is_written_is_not(folder: Path) -> None:
    seen: set[str] = set()
    with recorded(seen, code=True):
        with pytest.raises(FileNotFoundError):
            (folder / "absent").read_text()
        (folder / "out.txt").write_text("")
    assert seen == {str(folder / "absent")}


def test_a_program_may_say_anything(folder: Path) -> None:
    for code in (False, True):
        seen: set[str] = set()
        with recorded(seen, code=code):
            subprocess.run([sys.executable, "-c", ""], check=True)
        assert UNTRACKED in seen


@pytest.mark.parametrize(("place", "counts"), [("site-packages", False), ("app", True)])
def test_a_program_that_a_distribution_runs_when_imported_does_not_count(tmp_path: Path, place, counts) -> None:
    (tmp_path / place).mkdir()
    module = tmp_path / place / "b.py"
    module.write_text("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''], check=True)")
    seen: set[str] = set()
    with recorded(seen, code=True):
        _module(module)
    assert (UNTRACKED in seen) is counts


def test_what_never_ends_is_not_read() -> None:
    assert hold(Dependencies({"/dev/zero": None}), {})


def test_a_watched_function_takes_its_arguments_by_their_names(folder: Path) -> None:
    notes: list[str] = []
    fstat = ambient._watched_outside_library(os.fstat, "time", notes.append)
    scandir = ambient._watched_outside_library(os.scandir, "entries", notes.append)
    with (folder / "a.txt").open() as file:
        assert fstat(fd=file.fileno()) == fstat(file.fileno())
    assert len(list(scandir(path=folder))) == len(list(scandir(folder))) == 3
    assert notes == [*2 * [f"time:{folder / 'a.txt'}"], *2 * [f"entries:{folder}"]]
