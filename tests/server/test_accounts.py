"""The server belongs to another account than root's, and to users that are special; what each may touch."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.fences import seccomp
from alembic_pgpatterns.server import cluster, files, nameless
from alembic_pgpatterns.server.cache_folder import cache_folder
from alembic_pgpatterns.server.find_account import server_account
from alembic_pgpatterns.server.folder import run_folder
from alembic_pgpatterns.server.throwaway import throwaway_server

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
NAMELESS = 54321
ROOM = Path(__file__).parents[2]


def as_the_account(code: str) -> None:
    """What a hostile or broken program of the server's account does."""
    account = server_account()
    subprocess.run(["/bin/sh", "-c", code], check=True, cwd="/", **account.switch())


@pytest.fixture
def precious() -> Iterator[Path]:
    """A folder of root's that others may see."""
    folder = Path(tempfile.mkdtemp(prefix="precious-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "file").write_text("kept\n")
    yield folder
    shutil.rmtree(folder)


def state(folder: Path) -> list[tuple[str, int, int, bytes]]:
    entries = [folder, *sorted(folder.rglob("*"))]
    return [(str(e), e.stat().st_uid, e.stat().st_mode, e.read_bytes() if e.is_file() else b"") for e in entries]


@needs_root
def test_the_account_can_plant_nothing_where_we_write() -> None:
    with throwaway_server() as server:
        for entry in (server.folder, *server.folder.iterdir(), *(server.folder / "share").rglob("*")):
            facts = entry.lstat()
            theirs = facts.st_uid != 0 or bool(facts.st_mode & 0o022)
            assert theirs == (entry == server.sockets), entry
        # Nothing in there is of root's making.
        assert {entry.lstat().st_uid for entry in server.sockets.rglob("*")} == {server.account.uid}


@needs_root
@pytest.mark.parametrize("where", ["data", "server.log", "data/postmaster.pid", "data/pg_hba.conf", ".s.PGSQL.5432"])
@pytest.mark.sample(3)
def test_a_link_that_the_account_plants_before_the_start(
    precious: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(precious)
    stock = cluster.fill

    def planted(folder, binaries, account):
        place = folder.inner / where
        goal = precious if where == "data" else precious / "file"
        if place.parent == folder.inner:
            as_the_account(f"ln -s {goal} {place}")
            return stock(folder, binaries, account)
        result = stock(folder, binaries, account)
        as_the_account(f"rm -f {place}; ln -s {goal} {place}")
        return result

    monkeypatch.setattr(cluster, "fill", planted)
    try:
        with throwaway_server() as server:
            server.connect().close()
    except Exception as error:  # a server that cannot start is fine; what was touched is the question
        assert "traceback" not in str(error).lower()
    assert state(precious) == before


@needs_root
def test_links_among_the_files_of_a_server_that_is_kept(precious: Path, tmp_path: Path) -> None:
    before = state(precious)
    with throwaway_server() as server:
        data = server.data
        as_the_account(f"ln -s {precious} {data}/planted; ln -s {precious}/file {data}/base/planted_fsm")
        server.save(tmp_path / "kept", resume=False)
    assert state(precious) == before
    shutil.rmtree(tmp_path / "kept", ignore_errors=True)
    assert state(precious) == before


def test_files_are_read_without_following(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "folder" / "file")
    os.mkfifo(tmp_path / "folder" / "fifo")
    assert files.read_text(tmp_path, "folder", "file") == "text"
    assert set(files.entries(tmp_path, "folder")) == {"file", "link", "fifo"}
    assert files.census(tmp_path, "folder")[0] == 3
    for names in (("link", "file"), ("folder", "link"), ("folder", "fifo"), ("none",), ("folder",)):
        with pytest.raises(OSError):
            files.read_text(tmp_path, *names)


@needs_root
@pytest.mark.skipif(not seccomp.available(), reason="the kernel has no seccomp with user notification")
def test_a_user_without_a_name_has_a_server() -> None:
    """As in ``docker run --user 54321``."""
    with pytest.raises(KeyError):
        pwd.getpwuid(NAMELESS)
    code = """
import os
from alembic_pgpatterns.server.throwaway import throwaway_server
with throwaway_server() as server:
    with server.connect() as connection:
        print(os.geteuid(), connection.execute("SELECT current_user").fetchone()[0], server.folder)
"""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    home = tempfile.mkdtemp(dir="/tmp")
    # Python itself may be below /root: reading is allowed by a capability, as in test_lifecycle.
    become = ["setpriv", f"--reuid={NAMELESS}", "--regid=0", "--clear-groups", "--inh-caps=-all,+dac_read_search"]
    command = [*become, "--ambient-caps=-all,+dac_read_search", sys.executable, "-c", code]
    environment = {**os.environ, "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOM, env=environment)
    shutil.rmtree(home)
    assert answer.returncode == 0, answer.stderr
    uid, user, folder = answer.stdout.split()
    assert (uid, user) == (str(NAMELESS), "postgres") and not Path(folder).exists()


def test_the_line_that_gives_a_name_is_one_of_passwd() -> None:
    assert len(nameless.line_to_add(5).split(":")) == 7


@needs_root
def test_a_cache_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    theirs = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(theirs))
    try:
        os.chown(theirs, nobody.pw_uid, nobody.pw_gid)
        with pytest.raises(PermissionError, match="another user"):
            cache_folder()
        (theirs / "alembic-pgpatterns").mkdir()
        os.chown(theirs / "alembic-pgpatterns", nobody.pw_uid, nobody.pw_gid)
        with pytest.raises(PermissionError, match="another user"):
            cache_folder()
        with throwaway_server() as server:
            server.connect().close()
        assert list((theirs / "alembic-pgpatterns").iterdir()) == []
    finally:
        shutil.rmtree(theirs)


def test_the_folder_is_ours_and_the_inner_one_the_account_s() -> None:
    account = server_account()
    with run_folder(account) as folder:
        assert folder.path.stat().st_uid == os.geteuid()
        assert folder.inner.stat().st_uid == account.uid
        assert folder.inner.stat().st_mode & 0o777 == 0o700
