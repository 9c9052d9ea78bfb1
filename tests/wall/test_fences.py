"""Each fence by itself: which ways out of a process it closes, and what it leaves open."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alembic_pgpatterns.fences import allowed, landlock, refusals, seccomp, stand
from tests.wall.production import Production, production

needs_gate = pytest.mark.skipif(
    not seccomp.available(), reason="the kernel has no seccomp with user notification (Linux 5.5, x86-64 or ARM64)"
)
needs_landlock = pytest.mark.skipif(
    landlock.abi() < landlock.NETWORK, reason=f"the kernel's Landlock (ABI {landlock.abi()}) knows no network"
)

WAYS = """
import json, os, socket, subprocess, sys, threading
port, folder = int(sys.argv[1]), sys.argv[2]
path = f"{folder}/.s.PGSQL.{port}"

def unix(address):
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(address)

def in_thread():
    thread = threading.Thread(target=tcp)
    thread.start()
    thread.join()

def tcp(host="127.0.0.1"):
    socket.create_connection((host, port), 3).close()

def fork():
    if os.fork() == 0:
        try:
            tcp()
        finally:
            os._exit(0)
    os.wait()

def bash():
    subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], stderr=subprocess.DEVNULL)

def python(code):
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, env={**os.environ})

def psycopg(conninfo):
    import psycopg
    psycopg.connect(conninfo + " connect_timeout=3")

def pq(conninfo):
    from psycopg import pq
    pq.PGconn.connect(conninfo.encode())

def started_pq(conninfo):
    from psycopg import generators, pq, waiting
    waiting.wait_conn(generators.connect(conninfo))

def psycopg2(conninfo):
    import psycopg2.extensions
    psycopg2.extensions.connection(conninfo)

def dictionaries(conninfo):
    import psycopg2.extras
    psycopg2.extras.DictConnection(conninfo)

def asynchronous():
    import asyncio, asyncpg
    asyncio.run(asyncpg.connect(host="127.0.0.1", port=port, user="u", password="p", timeout=3))

def pg8000():
    import pg8000.native
    pg8000.native.Connection("u", host="127.0.0.1", port=port, password="p", timeout=3)

def ctypes_connect():
    import ctypes, struct
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket() as out:
        address = struct.pack("HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton("127.0.0.1"))
        if libc.connect(out.fileno(), address, len(address)):
            raise OSError(ctypes.get_errno(), "connect")

def fast_open():
    with socket.socket() as out:
        out.sendto(b"x", 0x20000000, ("127.0.0.1", port))

TCP, UNIX = f"host=127.0.0.1 port={port} user=u password=p", f"host={folder} port={port} user=u password=p"
WAYS = {
    "socket": tcp,
    "socket by name": lambda: tcp("localhost"),
    "socket by an IPv6 spelling": lambda: tcp("::ffff:127.0.0.1"),
    "unix": lambda: unix(path),
    "abstract": lambda: unix(f"\\0pgpatterns-production-{port}"),
    "thread": in_thread,
    "fork": fork,
    "bash": bash,
    "python": lambda: python(f"import socket; socket.create_connection(('127.0.0.1', {port}))"),
    "python unix": lambda: python(f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"),
    "psycopg": lambda: psycopg(TCP),
    "psycopg unix": lambda: psycopg(UNIX),
    "pq": lambda: pq(TCP),
    "pq unix": lambda: pq(UNIX),
    "generators": lambda: started_pq(TCP),
    "psycopg2": lambda: psycopg2(TCP),
    "psycopg2 unix": lambda: psycopg2(UNIX),
    "psycopg2.extras": lambda: dictionaries(TCP),
    "asyncpg": asynchronous,
    "pg8000": pg8000,
    "ctypes": ctypes_connect,
    "fast open": fast_open,
    "spawned": lambda: os.spawnv(os.P_WAIT, "/bin/bash", ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]),
    "system": lambda: os.system(f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' 2>/dev/null"),
}
from alembic_pgpatterns.fences import allowed, audit, gate, landlock, refusals, stand
import psycopg as _psycopg, psycopg2.extras as _extras, asyncpg as _asyncpg, pg8000.native as _native
"""

TRY = """
for name in sys.argv[3].split(",") if len(sys.argv) > 3 else WAYS:
    sys.stdout.write(name + ": ")
    try:
        WAYS[name]()
    except BaseException as error:
        sys.stdout.write(type(error).__name__)
    print(flush=True)
"""

FENCES = {
    "all": "stand.stand(allowed.Allowed(), dict, None)",
    "gate": "gate.stand(allowed.Allowed(), refusals.Sink(None))",
    "landlock": "landlock.restrict()",
    "audit": "audit.stand(allowed.Allowed(), refusals.Sink(None), programs=False)",
}


@pytest.fixture(scope="module")
def target() -> Iterator[Production]:
    with production() as server:
        yield server


def run(target: Production, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WAYS + code, str(target.port), str(target.folder), *arguments]
    # A shell that names the real server, as developers have it.
    environment = {**os.environ, **target.environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def test_without_a_fence_each_way_leads_out(target: Production) -> None:
    """Otherwise the tests below prove nothing."""
    before = target.reached
    answer = run(target, TRY)
    ways = answer.stdout.splitlines()
    assert target.reached - before >= len(ways) == 24, answer.stdout + answer.stderr


@needs_gate
@needs_landlock
def test_all_together_close_every_way(target: Production) -> None:
    before = target.by_way
    answer = run(target, FENCES["all"] + TRY)
    assert len(answer.stdout.splitlines()) == 24, answer.stderr
    assert target.by_way == before, answer.stdout


@needs_gate
def test_the_gate_closes_every_way(target: Production) -> None:
    before = target.by_way
    answer = run(target, FENCES["gate"] + TRY)
    assert len(answer.stdout.splitlines()) == 24, answer.stderr
    assert target.by_way == before, answer.stdout
    assert f"a connection to 127.0.0.1:{target.port} was refused to the program bash" in answer.stderr


@needs_landlock
def test_landlock_closes_tcp_and_abstract_sockets(target: Production) -> None:
    before = target.by_way
    # TCP Fast Open connects in sendto(), which Landlock does not look at (seen on Linux 6.18); the gate does.
    answer = run(target, FENCES["landlock"] + "\ndel WAYS['fast open']\n" + TRY)
    assert len(answer.stdout.splitlines()) == 23, answer.stderr
    after = target.by_way
    assert after["tcp"] == before["tcp"], answer.stdout
    assert after["abstract"] == before["abstract"] or landlock.abi() < 6
    assert after["unix"] > before["unix"], "Landlock sees sockets that are files by now: docs/security.md says no"


def test_audit_closes_what_is_python_s_and_names_the_line(target: Production) -> None:
    ways = "socket,socket by name,unix,abstract,thread,fork,bash,python,asyncpg,pg8000,fast open,spawned,system"
    before = target.by_way
    answer = run(target, FENCES["audit"] + TRY, ways)
    assert len(answer.stdout.splitlines()) == 13, answer.stderr
    assert target.by_way == before, answer.stdout
    line = WAYS.splitlines().index("    socket.create_connection((host, port), 3).close()") + 1
    assert f"<string>:{line}: a connection to 127.0.0.1:{target.port} was refused" in answer.stderr
    assert "starting the program bash was refused" in answer.stderr


@needs_gate
def test_what_is_allowed_is_reached(target: Production) -> None:
    fence = f"stand.stand(allowed.Allowed(addresses=(('localhost', {target.port}),)), dict, None)"
    before = target.by_way
    answer = run(target, fence + TRY, "socket,bash,unix")
    assert target.by_way["tcp"] - before["tcp"] == 2, answer.stdout + answer.stderr
    assert target.by_way["unix"] == before["unix"]
    fence = f"stand.stand(allowed.Allowed(sockets=({str(target.folder)!r},)), dict, None)"
    run(target, fence + TRY, "socket,unix,psycopg unix")
    assert target.by_way["unix"] - before["unix"] == 2
    assert target.by_way["tcp"] - before["tcp"] == 2


@needs_gate
def test_what_belongs_to_the_project_itself_works(target: Production) -> None:
    code = """
stand.stand(allowed.Allowed(), dict, None)
import multiprocessing, pwd, asyncio
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Manager() as manager:
        manager.dict()["a"] = 1
    pair = socket.socketpair()
    own = socket.socket(socket.AF_UNIX)
    own.bind(f"{folder}/own")
    own.listen()
    unix(f"{folder}/own")
    pwd.getpwall()
    subprocess.run(["true"], check=True)
    asyncio.run(asyncio.sleep(0))
    socket.getaddrinfo("localhost", 80)
    print("works")
"""
    answer = run(target, code)
    assert answer.stdout == "works\n", answer.stderr
    assert "refused" not in answer.stderr


@pytest.mark.long
@needs_gate
@pytest.mark.parametrize(
    "ending", ["os._exit(7)", "os.kill(os.getpid(), 9)", "sys.exit(3)", "os.abort()", "raise OSError"]
)
@pytest.mark.sample(3)
def test_it_ends_as_the_project_ends(target: Production, ending: str) -> None:
    plain, gated = run(target, ending), run(target, FENCES["gate"] + "\n" + ending)
    assert gated.returncode == plain.returncode


@needs_gate
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
@pytest.mark.sample(3)
def test_signals_reach_the_project(target: Production, number: signal.Signals, tmp_path: Path) -> None:
    """Whoever ends the process that was started ends them both."""
    # A run of the tests under nohup ignores SIGHUP, and so would all that it starts.
    heeded = f"\nimport signal\nsignal.signal({int(number)}, signal.SIG_DFL)\n" if number != signal.SIGKILL else ""
    code = WAYS + heeded + FENCES["gate"] + "\nimport time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target.port), str(target.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    project = int(process.stdout.readline())
    assert project != process.pid
    process.send_signal(number)
    assert process.wait(20) == -number
    deadline = time.monotonic() + 10
    while Path(f"/proc/{project}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{project}").exists()
    process.stdout.close()


def test_programs_get_our_variables(target: Production) -> None:
    """``env={**os.environ}`` would take the user's PGHOST along, and an env of the project's own names it outright."""
    code = """
stand.stand(allowed.Allowed(), lambda: {"host": "/ours", "port": "1", "user": "postgres", "dbname": "scratch"}, None)
assert os.environ["PGHOST"] == "127.0.0.1", "env.py may build its URL from it"
select = "{name: value for name, value in os.environ.items() if name[:2] == 'PG'}"
show = [sys.executable, "-c", f"import os, json; print(json.dumps({select}))"]
for env in (None, {**os.environ}, {"PGHOST": "prod", "PGSERVICE": "prod", "PGAPPNAME": "x"}):
    subprocess.run(show, env=env, check=True)
os.execve(sys.executable, show, {b"PGHOSTADDR": b"10.0.0.1"})
"""
    answer = run(target, code)
    seen = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(seen) == 4, answer.stderr
    for variables in seen:
        assert variables["PGHOST"] == "/ours" and variables["PGDATABASE"] == "scratch"
        assert not {"PGHOSTADDR", "PGSERVICE", "PGPASSWORD"} & set(variables)
    assert seen[2]["PGAPPNAME"] == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vault:8200", allowed.Allowed(addresses=(("vault", 8200),))),
        ("[::1]:5432", allowed.Allowed(addresses=(("::1", 5432),))),
        ("vault:*", allowed.Allowed(addresses=(("vault", 0),))),
        ("/run/vault.sock", allowed.Allowed(sockets=("/run/vault.sock",))),
    ],
)
def test_allow_connect_is_read(text: str, expected: allowed.Allowed) -> None:
    assert allowed.parse(text) == expected


@pytest.mark.parametrize("text", ["vault", ":5", "vault:", "vault:0", "vault:65536", "vault:x", "run/x.sock", ""])
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        allowed.parse(text)


def test_refusals_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "refusals"
    with path.open("wb") as file:
        sink = refusals.Sink(file.fileno())
        for _ in range(2):
            sink.tell(refusals.Refusal("a connection to x:1", "app.py:3"))
        sink.tell(refusals.Refusal("a connection to y:1", process="the program psql"))
    assert list(map(str, refusals.read("nonsense\n" + path.read_text()))) == [
        "app.py:3: a connection to x:1 was refused",
        "a connection to y:1 was refused to the program psql",
    ]


def test_people_are_told_each_refusal_once(capfd: pytest.CaptureFixture[str]) -> None:
    sink = refusals.Sink(None)
    for place in ("app.py:3", "app.py:3", "app.py:4", "app.py:3"):
        sink.tell(refusals.Refusal("a connection to x:1", place))
    assert [line.split(":")[2] for line in capfd.readouterr().err.splitlines()] == ["3", "4"]


def test_they_need_nothing_but_the_standard_library() -> None:
    """They run in the project's process, in the project's environment."""
    for path in Path(stand.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.startswith("alembic_pgpatterns.fences") or name.split(".")[0] in sys.stdlib_module_names


def test_the_survey_says_what_is_missing() -> None:
    fences = {fence.name: fence for fence in stand.survey()}
    assert fences["gate"].stands == seccomp.available()
    assert fences["landlock"].stands == (landlock.abi() >= landlock.NETWORK)
    assert all(fence.note for fence in fences.values())
