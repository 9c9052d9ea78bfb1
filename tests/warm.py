"""The ``alembic`` program without the second that its imports take: forked off a process that has them all.

Each run is a process of its own, as ever: its exit code, streams, signals, folder and environment are real, and it ends
as Python ends. What imports find, and in what order, is for the tests that run `python -m alembic` itself.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import alembic_pgpatterns

_OPTIONAL = frozenset({"click", "flask"})
"""Of the extra `frameworks`, which the other tests do without."""
_IMPORTED = (
    "alembic.config",
    "alembic.command",
    "sqlalchemy.orm",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.dialects.postgresql.psycopg",
    "libcst",
    "psycopg2",
    "asyncpg",
    "pg8000",
)


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """``python -m alembic`` in a folder. Raises subprocess.TimeoutExpired after so many seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        request = {"arguments": [*arguments], "folder": str(folder), "environment": {**environment}}
        code = _server().ask(request, (out.fileno(), err.fileno()), timeout)
        texts = [(file.seek(0), file.read().decode())[1] for file in (out, err)]
    return subprocess.CompletedProcess(["alembic", *arguments], code, *texts)


class _Server:
    """The process that has imported all; one for each process that runs tests."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from tests.warm import serve; serve()", str(theirs.fileno())],
                cwd=Path(__file__).parent.parent,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._socket.close)

    def ask(self, request: dict[str, Any], streams: Sequence[int], timeout: float) -> int:
        text = json.dumps(request).encode()
        socket.send_fds(self._socket, [len(text).to_bytes(4)], [*streams])
        self._socket.sendall(text)
        pid = int.from_bytes(self._receive())
        if not select.select([self._socket], [], [], timeout)[0]:
            os.kill(pid, signal.SIGKILL)
            self._receive()
            raise subprocess.TimeoutExpired(request["arguments"], timeout)
        return os.waitstatus_to_exitcode(int.from_bytes(self._receive()))

    def _receive(self) -> bytes:
        answer = self._socket.recv(4, socket.MSG_WAITALL)
        assert len(answer) == 4, "the process that runs alembic for tests has ended"
        return answer


@cache
def _server() -> _Server:
    return _Server()


@cache
def import_all() -> None:
    """Import what our programs and their processes need, so that what is forked off this process need not."""
    for name in (*_IMPORTED, *_own_modules()):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in _OPTIONAL:
                raise
    gc.collect()
    gc.freeze()


def serve() -> None:
    """Run in the server: wait for requests until the other side is gone."""
    import_all()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        while request := _next(asked):
            pid = os.fork()
            if pid == 0:
                break
            for stream in request["streams"]:
                os.close(stream)
            asked.sendall(pid.to_bytes(4))
            asked.sendall(os.waitpid(pid, 0)[1].to_bytes(4))
    if request:
        _become(request)


def _own_modules() -> list[str]:
    found = pkgutil.walk_packages(alembic_pgpatterns.__path__, "alembic_pgpatterns.")
    return [module.name for module in found if not module.name.endswith(".pytest_plugin")]


def _next(asked: socket.socket) -> dict[str, Any] | None:
    length, streams, _, _ = socket.recv_fds(asked, 4, 2)
    if not length:
        return None
    text = asked.recv(int.from_bytes(length), socket.MSG_WAITALL)
    return {**json.loads(text), "streams": streams}


def _become(request: dict[str, Any]) -> None:
    """What ``python -m alembic`` is at its beginning, but for what is imported."""
    for target, stream in enumerate(request["streams"], 1):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv[1:] = request["arguments"]
    tempfile.tempdir = None
    runpy.run_module("alembic", run_name="__main__", alter_sys=True)
