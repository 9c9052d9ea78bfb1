"""Commands that are ended at any moment: no process, no folder, no memory and no half file stays.

Six signals by default; ``PGPATTERNS_SIGNALS=300`` sends so many, at other moments each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.server.throwaway import ThrowawayServer
from tests.examples import mostly_long
from tests.signals import HEEDED
from tests.wall.production import Production, production
from tests.wall.test_ways_out import make

COUNT = int(os.environ.get("PGPATTERNS_SIGNALS", "6"))
COMMANDS = (
    ["pgcheck", "--exit-zero", "--no-cache"],
    ["pgfix", "--all", "--models"],
    ["pgrevision", "-m", "next"],
    ["pgcheck", "--write-baseline"],
    ["pgcheck", "--exit-zero", "--create-all"],
    ["pgrehearse", "--rows", "50", "--budget", "10s", "--exit-zero"],
    ["pgadvise", "--no-cache"],
    ["pgcheck", "--exit-zero", "--format", "json=report.json"],
    ["pgrebase", "left"],
    ["pgstats", "<LIVE>", "-o", "report.json"],
    ["pgexpand"],
)
BRANCH = """
from alembic import op
revision = "{name}"
down_revision = "a1"


def upgrade():
    op.execute("ALTER TABLE book ADD {name} text")


def downgrade():
    op.execute("ALTER TABLE book DROP {name}")
"""
NUMBERS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(scope="module")
def target() -> Iterator[Production]:
    with production() as server:
        yield server


def left(mark: str) -> list[str]:
    """Processes that have the mark in their environment, or in their command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[0]:
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def become() -> list[str]:
    """Every second time as another account, which may read what Python needs below /root."""
    if os.geteuid() or not shutil.which("setpriv"):
        return []
    reading = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *reading]


def segments() -> set[str]:
    """Shared memory of PostgreSQL that no process uses, POSIX and System V: what a killed one left."""
    there = {path.name for path in Path("/dev/shm").glob("PostgreSQL.*")}
    if there:
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                maps = (entry / "maps").read_text()
                there = {name for name in there if name not in maps}
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:] if Path("/proc/sysvipc/shm").exists() else []
    return there | {f"System V {line.split()[1]}" for line in lines if line.split()[6] == "0"}


def whole(project: Path, before: str) -> None:
    """Files of the user's are as they were, or as they were to become."""
    after = (project / "app" / "models.py").read_text()
    compile(after, "models.py", "exec")
    assert after == before or "sa.String(255)" not in after, "half of the edits"
    for path in (project / "migrations" / "versions").glob("*.py"):
        compile(path.read_text(), str(path), "exec")
    for path in (project / "migrations" / "versions").glob("left.py"):
        assert path.read_text().count("down_revision = ") == 1
    for path in project.glob("report.json"):
        json.loads(path.read_text())


def wait_for(condition: object, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.1)
    return bool(condition())  # type: ignore[operator]


def lasting(new: set[str], seconds: float = 20) -> set[str]:
    """Those of the segments that stay: other servers of this machine make and remove theirs meanwhile."""
    deadline = time.monotonic() + seconds
    while new and time.monotonic() < deadline:
        time.sleep(0.1)
        new &= segments()
    return new


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("number", range(COUNT) if COUNT > 6 else mostly_long(range(COUNT), 0, 1, 2))
@pytest.mark.sample(2)
def test_nothing_stays(number: int, target: Production, server: ThrowawayServer) -> None:
    chance = random.Random() if COUNT > 6 else random.Random(number)
    home = Path(tempfile.mkdtemp(prefix="signals-", dir="/tmp"))
    home.chmod(0o777)
    project = home / "project"
    project.mkdir()
    make(project, target, {})
    before = (project / "app" / "models.py").read_text()
    arguments = COMMANDS[number % len(COMMANDS)]
    if "pgrebase" in arguments:
        for name in ("left", "right"):
            (project / "migrations" / "versions" / f"{name}.py").write_text(BRANCH.format(name=name))
    # Servers keep their files here, and so nobody else's are taken for ours.
    environment = {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "CI": "",
    }
    subprocess.run(["chmod", "-R", "a+rwX", str(home)], check=True)
    user = become() if number // (len(COMMANDS) * len(NUMBERS)) % 2 or (COUNT <= 6 and number % 2) else []
    old = segments()
    program = f"{HEEDED}\nfrom alembic.config import main\nmain(prog='alembic')"
    live = server.url("postgres").render_as_string(hide_password=False)
    command = [*user, sys.executable, "-c", program, *(item.replace("<LIVE>", live) for item in arguments)]
    process = subprocess.Popen(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(chance.uniform(0.3, 6.0))
    process.send_signal(NUMBERS[(number // len(COMMANDS) if COUNT > 6 else number) % len(NUMBERS)])
    process.wait(60)
    try:
        assert wait_for(lambda: not left(str(home))), left(str(home))
        assert wait_for(lambda: not list(home.glob("pgpatterns-*"))), list(home.glob("pgpatterns-*"))
        assert not lasting(segments() - old)
        whole(project, before)
    finally:
        shutil.rmtree(home, ignore_errors=True)
