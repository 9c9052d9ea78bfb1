"""Files are written whole, and several of them together or not at all, whatever ends the program."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.output.files import open_regular, open_text, read_regular, read_text, write_whole
from alembic_pgpatterns.output.staging import JOURNAL, ChangedMeanwhile, Staging, recover


def test_mode_and_link_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "real.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target.name)
    write_whole(link, "new\r\n")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    assert link.is_symlink()


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_whole(tmp_path / "new.txt", "x")
    finally:
        os.umask(mask)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o640


def test_what_is_no_file_is_an_error_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    with pytest.raises(OSError, match="not a regular file"):
        write_whole(tmp_path / "pipe", "x")
    for name in ("pipe", "device", "folder", "loop", "socket"):
        for read in (read_regular, read_text, open_regular, open_text):
            with pytest.raises(OSError, match=name):
                read(tmp_path / name)
    with pytest.raises(PgPatternsError, match="not a regular file"):
        Baseline.read(tmp_path / "pipe")


def test_what_the_shell_hands_down_is_read() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stream:
        stream.write("orders 5\n")
        stream.close()
        assert read_text(Path(f"/dev/fd/{reading}")) == "orders 5\n"
    assert read_regular(Path(os.devnull)) == b""


def test_a_full_disk_leaves_the_old_file() -> None:
    with pytest.raises(OSError, match="regular file"):
        write_whole(Path("/dev/full"), "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("missing-primary-key public.t\n<<<<<<< HEAD\nx y\n=======\n", ":2: the baseline has an unfinished merge"),
        ("# format: 2\nmissing-primary-key public.t\n", "knows format 1: upgrade it"),
    ],
)
def test_a_baseline_that_cannot_be_meant(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "baseline.txt").write_text(text)
    with pytest.raises(PgPatternsError, match=said):
        Baseline.read(tmp_path / "baseline.txt")


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def staged(folder: Path) -> Staging:
    staging = Staging(folder)
    for name in ("a", "b"):
        staging.add(folder / name, b"new", (folder / name).read_bytes())
    staging.add(folder / "c", b"new", None)
    return staging


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"old")
    return tmp_path


OLD = {"a": b"old", "b": b"old"}
NEW = {"a": b"new", "b": b"new", "c": b"new"}


def test_together(home: Path) -> None:
    with staged(home) as staging:
        assert {name: data for name, data in state(home).items() if name in NEW} == OLD
        staging.commit()
    assert state(home) == NEW
    assert sorted(path.name for path in home.iterdir()) == ["a", "b", "c"]


def test_not_committed_is_nothing(home: Path) -> None:
    with staged(home):
        pass
    assert state(home) == OLD
    assert list(recover(home)) == []


def test_a_file_that_was_changed_meanwhile(home: Path) -> None:
    with staged(home) as staging:
        (home / "b").write_bytes(b"mine")
        with pytest.raises(ChangedMeanwhile):
            staging.commit()
    assert state(home) == {"a": b"old", "b": b"mine"}


def test_a_move_that_fails_undoes_the_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if Path(target).name == "c":
            raise OSError(28, "No space left on device")
        return stock(self, target)

    with staged(home) as staging, monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(OSError, match="No space"):
            staging.commit()
    assert state(home) == OLD


def test_a_command_that_still_runs_is_left_alone(home: Path) -> None:
    with staged(home):
        assert list(recover(home)) == []
        assert len(list(home.glob(".pgpatterns-*"))) == 1


def interrupted(home: Path, state: str = "commit") -> Path:
    """What a command that was killed leaves; "commit": it had begun to move its files."""
    staging = staged(home)
    staging._write(state)
    os.close(staging._lock)
    return staging.folder


def test_what_was_interrupted_is_finished(home: Path) -> None:
    interrupted(home)
    (said,) = recover(home)
    assert "finished the changes" in said
    assert state(home) == NEW


def test_what_was_edited_since_then_is_not_overwritten(home: Path) -> None:
    interrupted(home)
    (home / "b").write_bytes(b"mine")
    (said,) = recover(home)
    assert "b was changed: look at these files" in said
    assert state(home) == {"a": b"old", "b": b"mine"}


@pytest.mark.parametrize("what", ["staged", "commit"])
def test_a_journal_names_no_other_files(what: str, home: Path) -> None:
    """It came with git from another machine, or somebody has put it there."""
    folder = interrupted(home, what)
    precious = home / "precious"
    precious.write_bytes(b"old")
    journal = folder / JOURNAL
    document = json.loads(journal.read_text())
    for move in document["moves"]:
        move["new"] = str(precious)
    journal.write_text(json.dumps(document))
    list(recover(home))
    assert precious.read_bytes() == b"old"
    assert (home / "a").read_bytes() == b"old"


def test_both_names_of_a_file_stay_one_file(home: Path) -> None:
    (home / "other").hardlink_to(home / "a")
    with staged(home) as staging:
        staging.commit()
    write_whole(home / "b", b"short")
    assert (home / "other").read_bytes() == b"new"
    assert (home / "other").samefile(home / "a")
    write_whole(home / "a", b"n")
    assert (home / "other").read_bytes() == b"n"


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes of Linux")
def test_extended_attributes_are_kept(home: Path) -> None:
    try:
        os.setxattr(home / "a", "user.owner", b"team")
    except OSError:
        pytest.skip("this file system has none")
    write_whole(home / "a", b"new")
    assert os.getxattr(home / "a", "user.owner") == b"team"


CHILD = """
import sys
from pathlib import Path
from alembic_pgpatterns.output.staging import Staging
home = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with Staging(home) as staging:
    for number in range(30):
        target = home / f"f{number}"
        staging.add(target, b"new", target.read_bytes() if number % 2 else None)
    staging.commit()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.sample(2)
def test_signals_at_random_moments(number: signal.Signals, tmp_path: Path) -> None:
    """After the next run there is all of it or nothing, and nothing else."""
    outcomes = set()
    chance = random.Random(number)
    for turn in range(6):
        home = tmp_path / str(turn)
        home.mkdir()
        old = {f"f{n}": b"old" for n in range(1, 30, 2)}
        for name, data in old.items():
            (home / name).write_bytes(data)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        child.stdin.write(b"\n")
        child.stdin.flush()
        time.sleep(chance.uniform(0, 0.08))
        child.send_signal(number)
        child.communicate()
        list(recover(home))
        after = state(home)
        assert after in (old, {f"f{n}": b"new" for n in range(30)}), sorted(after)
        assert sorted(path.name for path in home.iterdir()) == sorted(after)
        outcomes.add(len(after))
    assert outcomes <= {15, 30}
