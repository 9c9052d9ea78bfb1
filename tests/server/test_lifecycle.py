"""Nothing is left, however a run ends, as root and as somebody else; and runs that live are left alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql

from alembic_pgpatterns.server import folder as folder_module
from alembic_pgpatterns.server.account import Account
from alembic_pgpatterns.server.folder import sweep
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from tests.signals import HEEDED

ROOM = Path(__file__).parents[2]
CHILD = f"""
{HEEDED}
import sys
from alembic_pgpatterns.server.throwaway import throwaway_server
with throwaway_server() as server:
    print(server.folder, server.pid, flush=True)
    with server.connect() as connection:
        connection.execute("SELECT 1")
    sys.stdin.read()
"""
Run = Callable[..., subprocess.Popen[str]]


def ended(pid: int) -> bool:
    """Whether a process is gone, or dead and only not yet waited for by its new parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/status")
    try:
        return status.exists() and "State:\tZ" in status.read_text()
    except OSError:
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def _as_another_user() -> tuple[Account, list[str]]:
    """An unprivileged user, and the command that becomes it; it may read all files, as Python may be in /root."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can become somebody else, by setpriv")
    entry = pwd.getpwnam("nobody")
    ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    reading = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    return Account(entry.pw_uid, entry.pw_gid, "nobody"), ["setpriv", *ids, *reading]


@pytest.fixture(scope="module", params=["as we are", "as another user"])
def user(request: pytest.FixtureRequest) -> Iterator[tuple[list[str], Path]]:
    """The command to become somebody (nothing for ourselves), and a home, and so a cache, of that somebody's."""
    other, become = _as_another_user() if request.param == "as another user" else (None, [])
    home = Path(tempfile.mkdtemp(prefix="pgtest-", dir="/tmp"))
    if other is not None:
        os.chown(home, other.uid, other.gid)
    yield become, home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def run(user: tuple[list[str], Path]) -> Iterator[Run]:
    """Start Python on a script, as ourselves or (when we are root) as an unprivileged user."""
    become, home = user
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*become, sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOM,
            start_new_session=True,
            env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def announced(process: subprocess.Popen[str]) -> tuple[Path, int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate(timeout=30)[1])
    place, pid = line.split()
    return Path(place), int(pid)


KILLED_AT_ONCE = """
import os, signal
from alembic_pgpatterns.server import folder
from alembic_pgpatterns.server.account import Account

def killed(path, account):
    print(path, os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

folder._make_inner = killed
with folder.run_folder(Account(os.geteuid(), os.getegid(), 'me')):
    pass
"""


def test_gone_if_killed_as_soon_as_the_folder_is_made(run: Run) -> None:
    place, _ = announced(run(KILLED_AT_ONCE))
    assert wait_until(lambda: not place.exists()), place


@pytest.mark.long
@pytest.mark.parametrize("how", ["end", "ctrl-c", "SIGTERM", "SIGHUP", "SIGKILL", "SIGKILL of the group"])
@pytest.mark.sample(2)
def test_gone_however_the_run_ends(how: str, run: Run) -> None:
    process = run(CHILD)
    place, pid = announced(process)
    assert place.exists() and not ended(pid)
    if how == "end":
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
        assert not place.exists() and ended(pid)
    elif how == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
        assert not place.exists() and ended(pid)
    elif how == "SIGKILL of the group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.send_signal(signal.Signals[how])
    assert wait_until(lambda: ended(pid) and not place.exists())


def memory_left() -> set[str]:
    """Shared memory of PostgreSQL, of both kinds, that no process uses."""
    used = " ".join(path.read_text() for path in Path("/proc").glob("[0-9]*/maps") if _readable(path))
    posix = {str(path) for path in Path("/dev/shm").glob("PostgreSQL.*") if str(path) not in used}
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return posix | {f"segment {row[1]}" for row in rows if row[6] == "0"}


def _readable(path: Path) -> bool:
    try:
        path.read_text()
    except OSError:
        return False
    return True


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="lists shared memory by /proc")
def test_nothing_is_left_by_initdb_either(run: Run, user: tuple[list[str], Path]) -> None:
    """Its own server has shared memory too. Killed at several moments, with nothing in the cache."""
    code = CHILD.replace("from alembic_pgpatterns", "print(flush=True)\nfrom alembic_pgpatterns", 1)
    before = memory_left()
    folders = set(Path("/dev/shm").glob("pgpatterns-*")) | set(Path(tempfile.gettempdir()).glob("pgpatterns-*"))
    for number, seconds in enumerate((0.2, 0.35, 0.5, 0.65, 0.8, 1.0)):
        shutil.rmtree(user[1] / ".cache", ignore_errors=True)
        process = run(code)
        assert process.stdout is not None and process.stdout.readline() == "\n"
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL) if number % 2 else process.kill()

    def left() -> set[object]:
        now = set(Path("/dev/shm").glob("pgpatterns-*")) | set(Path(tempfile.gettempdir()).glob("pgpatterns-*"))
        return {*(memory_left() - before), *(item for item in now - folders if not _lives(item))}

    assert wait_until(lambda: not left()), left()


def _lives(folder: Path) -> bool:
    """Whether a run of somebody else holds the folder's lock."""
    try:
        with (folder / "owner.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@pytest.mark.sample(2)
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the watchdog in /proc")
def test_what_the_watchdog_could_not_remove_is_swept_and_the_living_stay(run: Run, server: ThrowawayServer) -> None:
    process = run(CHILD)
    place, pid = announced(process)
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = entry.read_bytes()
        except OSError:
            continue
        if b"watchdog" in arguments and str(place).encode() in arguments:
            os.kill(int(entry.parent.name), signal.SIGKILL)
    process.kill()
    process.wait()
    assert place.exists() and not ended(pid)
    # The same user starts again: in a process of its own, for "another user" is not us.
    again = run("from alembic_pgpatterns.server.folder import sweep; sweep()")
    assert again.wait(60) == 0, again.communicate()
    assert wait_until(lambda: ended(pid) and not place.exists())
    assert server.folder.exists()
    with server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def _left(pid: int) -> Path:
    place = Path(tempfile.mkdtemp(prefix=folder_module.PREFIX, dir="/tmp"))
    (place / "pg" / "data").mkdir(parents=True)
    (place / "pg" / "data" / "postmaster.pid").write_text(f"{pid}\n{place}/data\n")
    (place / "owner.lock").touch(0o600)
    return place


def test_a_number_that_is_used_again_is_not_killed() -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    place = _left(bystander.pid)
    try:
        sweep()
        assert not place.exists()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_folder_whose_owner_lives_is_not_swept() -> None:
    place = _left(1)
    try:
        with (place / "owner.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sweep()
            assert place.exists()
        sweep()
        assert not place.exists()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_a_folder_that_is_just_being_made_is_not_swept() -> None:
    place = Path(tempfile.mkdtemp(prefix=folder_module.PREFIX, dir="/tmp"))
    try:
        sweep()
        assert place.exists()
        os.utime(place, (0, 0))
        sweep()
        assert not place.exists()
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.usefixtures("memory")
def test_a_forked_child_leaves_its_parents_server_alone() -> None:
    with throwaway_server() as server:
        child = os.fork()
        if child == 0:
            try:
                with pytest.raises(ZeroDivisionError):
                    _leave(server)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        with server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def _leave(server: ThrowawayServer) -> None:
    server.stop()
    raise ZeroDivisionError


# Each reads what COPY writes first: for a program that ends unread COPY fails with "Broken pipe", now and then.
PROGRAMS = {
    "in another folder": "cat >/dev/null; cd / && nohup sleep 7654.{number} >/dev/null 2>&1 &",
    "with an empty environment": "cat >/dev/null; setsid env -i sleep 7654.{number} >/dev/null 2>&1 &",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_of_the_server_end_with_it(program: str) -> None:
    number = os.getpid()
    with throwaway_server() as server, server.connect() as connection:
        text = sql.Literal(program.format(number=number))
        connection.execute(sql.SQL("COPY (SELECT 1) TO PROGRAM {}").format(text))
        assert wait_until(lambda: bool(sleeping(number)))
    assert sleeping(number) == []


def sleeping(number: int) -> list[str]:
    """The processes of the program."""
    command = f"sleep\0007654.{number}\0".encode()
    processes = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes() == command:
                processes.append(entry.name)
    return processes
