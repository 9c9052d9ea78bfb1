"""The project's code in a process of its own: it reaches nobody, it ends with us, and its end is never taken for "ok".

Each project below is a sample of its kind. All run `alembic pgcheck` as a user does, beside a server that counts
connections and stands for production.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.processes.channel import send
from alembic_pgpatterns.processes.supervised import SupervisedProcess
from alembic_pgpatterns.processes.supervisor import ChildEnds
from tests.examples import mostly_long
from tests.signals import HEEDED
from tests.wall.production import Production, production

ENV = """
from alembic import context
from sqlalchemy import create_engine, pool
{before}
with create_engine("{url}", poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
{after}
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
{top}
revision = "a1"
down_revision = None


def upgrade():
    op.create_table("book", sa.Column("id", sa.BigInteger, primary_key=True))
{body}


def downgrade():
    op.drop_table("book")
"""


@pytest.fixture(scope="module")
def real() -> Iterator[Production]:
    with production() as server:
        yield server


def make(
    folder: Path, real: Production, *, before: str = "", after: str = "", top: str = "", body: str = "", app: str = ""
) -> None:
    """A project of one revision."""
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations\nprepend_sys_path = .\n")
    env = ENV.format(url=real.url.replace("postgresql://", "postgresql+psycopg://"), before=before, after=after)
    (folder / "migrations" / "env.py").write_text(env)
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "migrations" / "versions" / "a1.py").write_text(REVISION.format(top=top, body=indented))
    (folder / "app.py").write_text(app or "X = 1\n")


def pgcheck(folder: Path, real: Production, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "pgcheck", "--no-cache", "--exit-zero", *arguments],
        cwd=folder,
        env={**os.environ, **real.environment, "CI": "", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def left_over(mark: str) -> list[int]:
    """Processes that have the mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


CONNECT = """
import socket
def connect():
    try:
        socket.create_connection(("127.0.0.1", PORT), 2).close()
    except OSError:
        pass
"""
WAYS = {
    "a module that connects at import": {"top": "import app", "app": "{connect}\nconnect()\n"},
    "a thread of the application": {
        "before": "import app",
        "app": "{connect}\nimport threading, time\n"
        "def loop():\n    while True:\n        connect()\n        time.sleep(0.01)\n"
        "threading.Thread(target=loop, daemon=True).start()\n",
    },
    "a thread that outlives env.py": {
        "body": "{connect}\nimport threading, time\ndef later():\n    time.sleep(1)\n    connect()\n"
        "threading.Thread(target=later).start()",
    },
    "an atexit handler": {"before": "import atexit, app\natexit.register(app.connect)", "app": "{connect}\n"},
    "a fork": {"body": "{connect}\nimport os\nif os.fork() == 0:\n    connect()\n    os._exit(0)\nos.wait()"},
    "a daemon": {
        "body": "{connect}\nimport os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True:\n            time.sleep(0.05)\n            connect()\n    os._exit(0)\nos.wait()",
    },
    "multiprocessing, spawned": {
        "body": "import multiprocessing, app\nspawn = multiprocessing.get_context('spawn')\n"
        "process = spawn.Process(target=app.connect)\nprocess.start()\nprocess.join()",
        "app": "{connect}\n",
    },
    "a subprocess with an environment": {
        "body": "import os, subprocess, sys\n"
        "code = 'import psycopg; psycopg.connect(\"\", connect_timeout=2)'\n"
        "subprocess.run([sys.executable, '-c', code], env={**os.environ}, stderr=subprocess.DEVNULL)",
    },
    "a raw socket": {"body": "{connect}\nconnect()"},
    "psycopg2's own class": {
        "body": "from psycopg2.extensions import connection\ntry:\n    connection(URL + '?connect_timeout=2')\n"
        "except Exception:\n    pass",
    },
    "libpq by psycopg.pq": {"body": "from psycopg import pq\npq.PGconn.connect(URL.encode())"},
    "asyncpg without SQLAlchemy": {
        "body": "import asyncio, asyncpg\n"
        "async def go():\n    return await asyncpg.connection.connect(URL, timeout=2)\n"
        "try:\n    asyncio.run(go())\nexcept Exception:\n    pass",
    },
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("kind", mostly_long(WAYS, "a daemon", "a subprocess with an environment"))
def test_production_is_not_reached(kind: str, tmp_path: Path, real: Production) -> None:
    connect = CONNECT.replace("PORT", str(real.port))
    parts = {name: text.replace("{connect}", connect) for name, text in WAYS[kind].items()}
    parts = {name: text.replace("URL", repr(real.url)) for name, text in parts.items()}
    make(tmp_path, real, **parts)
    mark = f"PGPATTERNS_WALL={tmp_path}"
    before = real.reached
    result = pgcheck(tmp_path, real, PGPATTERNS_WALL=str(tmp_path))
    assert "pgcheck: 1 revision, 1 table" in result.stdout, result.stderr
    assert "Traceback" not in result.stderr.replace('Traceback (most recent call last):\n  File "<string>"', "")
    time.sleep(0.2)
    assert left_over(mark) == []
    assert real.reached == before


ENDS = {
    "os._exit": ("import os\nos._exit(0)", "os._exit(0) would end the check"),
    "os._exit, swallowed": ("import os\ntry:\n    os._exit(0)\nexcept BaseException:\n    pass", "os._exit(0) would"),
    "a signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended its own process"),
    "a crash": ("import ctypes\nctypes.string_at(0)", "ended its own process"),
    "libc's exit": ("import ctypes\nctypes.CDLL(None)._exit(0)", "ended its own process"),
    "sys.exit": ("import sys\nsys.exit(0)", "the program ended with exit code 0"),
}


@pytest.mark.parametrize("kind", mostly_long(ENDS, "os._exit, swallowed", "a crash"))
@pytest.mark.sample(2)
def test_an_end_is_a_failure_with_its_place(kind: str, tmp_path: Path, real: Production) -> None:
    code, expected = ENDS[kind]
    make(tmp_path, real, body=code)
    result = pgcheck(tmp_path, real)
    assert (result.returncode, result.stdout) == (255, "")
    assert "FAILED: " in result.stderr and expected in result.stderr
    assert "migrations/versions/a1.py" in result.stderr


def test_a_supervisor_that_is_stopped_ends_all_the_same() -> None:
    def main(ends: ChildEnds) -> None:
        os.kill(os.getppid(), signal.SIGSTOP)
        send(ends.requests, os.getpid())
        signal.pause()

    process = SupervisedProcess(main)
    pid = process.answer(30)
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.long
def test_an_end_at_import_is_a_failure_with_its_place(tmp_path: Path, real: Production) -> None:
    make(tmp_path, real, top="import os\nos._exit(0)")
    result = pgcheck(tmp_path, real)
    assert (result.returncode, result.stdout) == (255, "")
    assert "migrations/versions/a1.py:5: os._exit(0)" in result.stderr


@pytest.mark.long
def test_what_the_project_prints_and_where_it_goes_changes_no_report(tmp_path: Path, real: Production) -> None:
    """And env.py comes before the revisions, which import what it has made importable."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "helper.py").write_text("Y = 1\n")
    code = "import os, sys\nprint('printed')\nsys.__stdout__.write('written')\nos.write(1, b'raw')\n"
    code += "os.system('echo shell')\n"
    first = f"{code}sys.path.insert(0, os.path.abspath('inside'))\nos.chdir('/tmp')"
    make(tmp_path, real, before=first, top=f"{code}import helper\nos.chdir('/')", body=code)
    result = pgcheck(tmp_path, real, "--format", "json", "--format", "json=report.json")
    assert json.loads(result.stdout)["findings"] is not None, result.stderr
    assert (tmp_path / "report.json").exists(), result.stderr
    for word in ("printed", "written", "raw", "shell"):
        assert word in result.stderr


@pytest.mark.long
def test_a_fork_that_comes_back_does_not_report(tmp_path: Path, real: Production) -> None:
    make(tmp_path, real, before="import os\nos.fork()")
    result = pgcheck(tmp_path, real, "--format", "json")
    assert json.loads(result.stdout)["findings"] is not None


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "place"),
    [
        pytest.param({"body": "import time\ntime.sleep(600)"}, "migrations/versions/a1.py:12", id="a revision"),
        pytest.param(
            {"before": "import time\ntime.sleep(600)"}, "migrations/env.py:5", id="env.py", marks=pytest.mark.long
        ),
        pytest.param(
            {"top": "import threading\nthreading.Event().wait()"},
            "migrations/versions/a1.py:5",
            id="an import",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_time_limit_names_the_line(code: dict[str, str], place: str, tmp_path: Path, real: Production) -> None:
    make(tmp_path, real, **code)
    (tmp_path / "pyproject.toml").write_text('[tool.alembic_pgpatterns]\ntime_limit = "15s"\n')
    result = pgcheck(tmp_path, real, PGPATTERNS_WALL=str(tmp_path))
    assert result.returncode == 255
    assert f"{place}: the project's code ran for longer than time_limit (15 s)" in result.stderr
    assert left_over(f"PGPATTERNS_WALL={tmp_path}") == []


@pytest.mark.sample(6)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_everything_ends_with_the_command(number: int, tmp_path: Path, real: Production) -> None:
    body = "import pathlib, subprocess, time\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n"
    make(tmp_path, real, body=f"{body}pathlib.Path('runs').touch()\ntime.sleep(600)")
    environment = {**os.environ, **real.environment, "PGPATTERNS_WALL": str(tmp_path)}
    program = f"{HEEDED}\nfrom alembic.config import main\nmain(prog='alembic')"
    command = [sys.executable, "-c", program, "pgcheck", "--no-cache"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=quiet, stderr=quiet) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "runs").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        try:
            process.wait(60)
        finally:
            process.kill()
    deadline = time.monotonic() + 20
    while left_over(f"PGPATTERNS_WALL={tmp_path}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_over(f"PGPATTERNS_WALL={tmp_path}") == []


@pytest.mark.long
def test_a_history_that_computes_its_identifiers(tmp_path: Path, real: Production) -> None:
    make(tmp_path, real)
    (tmp_path / "migrations" / "versions" / "b2.py").write_text(
        "import os\nfrom alembic import op\nrevision = os.path.basename(__file__)[:2]\ndown_revision = 'a1'\n"
        "def upgrade():\n    op.execute('CREATE TABLE note (id bigint PRIMARY KEY)')\n"
        "def downgrade():\n    op.execute('DROP TABLE note')\n"
    )
    result = pgcheck(tmp_path, real)
    assert "pgcheck: 2 revisions, 2 tables" in result.stdout, result.stderr


def test_a_history_that_is_not_what_it_seems(tmp_path: Path, real: Production) -> None:
    make(tmp_path, real, body='op.execute("CREATE TABLE keyless (a int)")')
    path = tmp_path / "migrations" / "versions" / "a1.py"
    path.write_text(path.read_text() + "\nglobals()['revision'] = 'z9'\n")
    result = pgcheck(tmp_path, real, "--format", "json", "--select", "missing-primary-key")
    assert [finding["revision"] for finding in json.loads(result.stdout)["findings"]] == ["z9"], result.stderr
