"""Migrations that do not run under the ``alembic`` program: the project's own command, on our server."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import program
from alembic_pgpatterns.fences.allowed import NOTHING, Allowed, of_server, together
from alembic_pgpatterns.fences.libpq import VARIABLES, offered
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.real_database import RealDatabase, real_database
from alembic_pgpatterns.server.signals import sigterm_as_exit

_TAIL = 40
"""Number of output lines of the command that an error shows."""

_LOCAL = "localhost"

_PLACEHOLDER = re.compile(r"\{(\w*)(?:\+(\w+))?\}")

REVISION = "{revision}"
"""What stands in an upgrade command for the revision that it is to upgrade to. Other braces are the shell's."""


def takes_revision(command: str | None) -> bool:
    """Whether an upgrade command can be told where to stop."""
    return command is not None and REVISION in command


def up_to(command: str, revision: str) -> str:
    """An upgrade command that stops at a revision; as it is if it cannot be told where."""
    # Quoted, since a shell reads it: a revision file may give any text as its identifier.
    return command.replace(REVISION, shlex.quote(revision))


def run_command(
    command: str,
    *,
    server: Server,
    database: str,
    env: Mapping[str, str],
    cwd: Path,
    allowed: Allowed = NOTHING,
    seconds: float | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> None:
    """Run a shell ``command`` in ``cwd`` with the environment variables of ``env``, until it ends.

    The values of ``env`` are templates: ``{url}`` (``postgresql://…``, for libpq and SQLAlchemy), ``{url+asyncpg}``
    (``postgresql+asyncpg://…``, and so for each driver of SQLAlchemy), ``{host}``, ``{port}``, ``{user}``,
    ``{password}``, ``{database}``; ``{{`` and ``}}`` are braces. libpq's variables are set too; the user's own values
    of them are removed. If the kernel supports the fences, the command can only connect to the server and to what is
    ``allowed``. After ``seconds`` it is ended (None: never). ``echo`` gets each line of output at once. The command's
    whole process group is ended if this process is interrupted or gets SIGTERM.

    Raises PgPatternsError if the command fails, takes too long or cannot be started, with the end of its output but
    without the password, or if a template is wrong.
    """
    values = _values(server, database)
    environment = _environment(server, database, values, env)
    reach = together(allowed, of_server(server.parameters(database)))
    tail: deque[str] = deque(maxlen=_TAIL)
    try:
        with sigterm_as_exit(), _running(command, cwd, environment, reach) as process:
            assert process.stdout is not None
            with _ended_after(seconds, process) as expired:
                for line in process.stdout:
                    shown = _hidden(line.rstrip("\n"), values["password"])
                    tail.append(shown)
                    echo(shown)
                code = process.wait()
    except OSError as error:
        raise PgPatternsError(f"the upgrade command could not be started in {cwd}: {error}") from error
    if code or expired.is_set():
        output = "\n".join(f"  {line}" for line in tail) or "  (it printed nothing)"
        ending = f"ran for longer than time_limit ({seconds:g} s) and was ended" if expired.is_set() else _ending(code)
        way_out = LONGER if expired.is_set() else server.failure()
        raise PgPatternsError(
            f"the upgrade command {command!r} {ending} in {cwd}. The end of its output:\n{output}\n"
            + (way_out or f"It was given {', '.join(sorted(env)) or 'no variable of the setting `env`'}.")
        )


LONGER = 'If it needs longer, set time_limit = "30m" in [tool.alembic_pgpatterns].'


@contextlib.contextmanager
def _ended_after(seconds: float | None, process: subprocess.Popen[str]) -> Iterator[threading.Event]:
    """Kill the command's process group after so many seconds; the event says whether that has happened."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    # A thread, since the command may print nothing, and then reading its output waits for it.
    timer = threading.Timer(seconds, end) if seconds else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield expired
    finally:
        if timer is not None:
            timer.cancel()


def _values(server: Server, database: str) -> dict[str, str]:
    facts = server.parameters(database)
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "database": "dbname"}
    values = {name: facts.get(parameter, "") for name, parameter in names.items()}
    login = quote(values["user"], safe="") + (":" + quote(values["password"], safe="") if values["password"] else "")
    name = quote(database, safe="")
    if values["host"].startswith("/"):
        # pydantic's PostgresDsn and dj-database-url demand a host before the query, and asyncpg looks only there
        # (`named_locally`); libpq and SQLAlchemy use the one in the query. Not the folder with its slashes written as
        # %2F: many an env.py hands the URL to config.set_main_option(), which reads a lone % as its own.
        folder = quote(values["host"], safe="/")
        values["url"] = f"postgresql://{login}@{_LOCAL}:{values['port']}/{name}?host={folder}&port={values['port']}"
    else:
        host = f"[{values['host']}]" if ":" in values["host"] else values["host"]
        values["url"] = f"postgresql://{login}@{host}:{values['port']}/{name}"
    return values


def named_locally(server: Server, database: str) -> RealDatabase:
    """What a scratch database is called by a program that reads only the first part of ``{url}``."""
    return real_database({**server.parameters(database), "host": _LOCAL})


def _environment(server: Server, database: str, values: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    filled = {name: _filled(name, template, values) for name, template in env.items()}
    return inherited | offered(server.parameters(database)) | filled


def variables(env: Mapping[str, str], server: Server, database: str) -> dict[str, str]:
    """The environment variables of the setting ``env``, with their templates filled in for a scratch database."""
    values = _values(server, database)
    return {name: _filled(name, template, values) for name, template in env.items()}


def _filled(name: str, template: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values or (match[2] and match[1] != "url"):
            raise PgPatternsError(
                f"the setting `env` gives {name} the value {template!r}, with the unknown {match[0]}. Known are "
                + ", ".join(f"{{{placeholder}}}" for placeholder in (*values, "url+DRIVER"))
            )
        driver = f"postgresql+{match[2]}" if match[2] else "postgresql"
        return values[match[1]].replace("postgresql://", f"{driver}://", 1) if match[1] == "url" else values[match[1]]

    doubled = {"{{": "\0", "}}": "\1"}
    for braces, mark in doubled.items():
        template = template.replace(braces, mark)
    return _PLACEHOLDER.sub(value, template).replace("\0", "{").replace("\1", "}")


@contextlib.contextmanager
def _running(
    command: str, cwd: Path, environment: Mapping[str, str], allowed: Allowed
) -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own, which is ended afterwards, whatever it has started."""
    process = subprocess.Popen(
        program.arguments(allowed, command),
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    # After wait() the process id may belong to another process.
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if process.returncode is not None:
            break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.stdout is not None:
        process.stdout.close()


def _hidden(line: str, password: str) -> str:
    if password:
        # The command may print the URL, in which the password is quoted, or a shell's command line.
        for spelling in (password, quote(password, safe=""), shlex.quote(password)):
            line = line.replace(spelling, "***")
    return line


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
