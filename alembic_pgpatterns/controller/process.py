"""The parent's side of the project's process: its limits, its start, requests to it, and what became of it.

Its limits are the interpreter, how long its code may run, and where it may connect.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import psycopg
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences.allowed import Allowed, parse, together
from alembic_pgpatterns.fences.stand import stand_in_kernel
from alembic_pgpatterns.processes import newer_python, traceback_text
from alembic_pgpatterns.processes.channel import Closed, receive, send
from alembic_pgpatterns.processes.codec import CodecError
from alembic_pgpatterns.processes.program import CAN_FORK, ProgramProcess, program
from alembic_pgpatterns.processes.supervised import NOTHING, Overdue, SupervisedProcess
from alembic_pgpatterns.processes.supervisor import ChildEnds, Main
from alembic_pgpatterns.runner.bootstrap import BOOTSTRAP, BOOTSTRAP_BY_PORT, ENTRY, Task, config_facts
from alembic_pgpatterns.runner.messages import Failure
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.schema.origin import Location
from alembic_pgpatterns.server.folder import PREFIX, run_roots
from alembic_pgpatterns.server.real_database import completed

DEFAULT_PORT = 5432
SOCKET_FOLDERS = ("/var/run/postgresql", "/run/postgresql", "/tmp")
TIME_LIMIT = 600.0
"""Seconds, unless the settings say otherwise."""


CANNOT_START = 126
"""The exit code of a process that could not start the interpreter, as shells have it."""


def no_python(program: Path, how: str) -> str:
    """What to say of an interpreter that ended before it answered anything; ``how`` it ended."""
    ended = "it cannot be started" if how.endswith(f" {CANNOT_START}") else f"it ended at once ({how})"
    reason = ended if program.exists() else "there is no such file"
    return (
        f"{program} cannot run the project: {reason}. It must be a Python with Alembic: that of the project's own "
        "environment. Name another interpreter: --python PATH."
    )


@dataclass(frozen=True)
class Confinement:
    """``time_limit``: seconds that one request may take. ``allowed``: connections that are not refused.

    ``python``: the interpreter; None for a fork of the command.
    """

    time_limit: float = TIME_LIMIT
    allowed: Allowed = field(default_factory=Allowed)
    python: Path | None = None

    @classmethod
    def of(cls, settings: Settings | None = None, *, fresh: bool = False) -> Self:
        """The limits in the settings. Throw-away servers that are started later are recognised by their sockets' path.

        Args:
            settings: the project's; None for none.
            fresh: use a new interpreter even in this environment, since this process has imported the project already.

        Raises:
            SettingsError: an entry of ``allow_connect`` is not an address.
        """
        # By path: the servers' sockets do not exist yet when the fences are put up, and nothing can be added to them
        # later.
        beginnings = tuple(os.path.realpath(root) + f"/{PREFIX}" for root in run_roots())
        servers = Allowed(beginnings=beginnings)
        if settings is None:
            return cls(allowed=servers, python=Path(sys.executable) if fresh else None)
        try:
            parts = [parse(text) for text in settings.allow_connect]
        except ValueError as error:
            raise SettingsError(f"allow_connect: {error}") from error
        newer_python.parse_with(settings.python)
        return cls(
            settings.seconds, together(servers, *parts, *_server(settings.server)), _other(settings.python, fresh)
        )


def _other(python: Path | None, fresh: bool) -> Path | None:
    """The interpreter, if it belongs to another environment, or if the process must not be a fork."""
    if python is None or python.absolute() == Path(sys.executable).absolute():
        return Path(sys.executable) if fresh else None
    return python


def _server(url: str | None) -> list[Allowed]:
    """The server that the settings name, by its URL, a service or libpq's variables."""
    if url is None:
        return []
    try:
        plain = sqlalchemy.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        parameters = completed(conninfo_to_dict(plain))
        ports = [int(port or DEFAULT_PORT) for port in parameters.get("port", "").split(",")]
    except (sqlalchemy.exc.ArgumentError, psycopg.Error, ValueError):
        return []  # whoever opens it says what is wrong
    hosts = (parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    # As libpq: one port for all hosts, or one for each.
    several = ports * len(hosts) if len(ports) == 1 else ports
    return [_place(host, port) for host, port in zip(hosts, several, strict=False)]


def _place(host: str, port: int) -> Allowed:
    if not host:
        # libpq's own default, which depends on who built it.
        return Allowed(tuple(f"{folder}/.s.PGSQL.{port}" for folder in SOCKET_FOLDERS), (("localhost", port),))
    return Allowed(sockets=(host,)) if host.startswith("/") else Allowed(addresses=((host, port),))


_DAMAGED = (
    "{where}what the project's process sends is damaged ({error}), so nothing more could be checked. "
    "Look for code that writes to a descriptor which it has not opened, such as os.write(3, …)."
)

_ROOT = str(Path(__file__).parents[1])
"""The folder of this package."""

Handlers = Mapping[str, Callable[..., Any]]
"""What the project's process may report or ask, by name."""


class ProjectFailed(PgPatternsError):
    """The project's code failed; ``failure`` says how."""

    def __init__(self, failure: Failure) -> None:
        """``failure``: what happened."""
        super().__init__(failure.message)
        self.failure = failure


def _fork(allowed: Allowed, config: Any, task: Task | None) -> Main:
    """The main function of a fork. It imports its modules itself, while the parent goes on."""
    return lambda ends: pkgutil.resolve_name(ENTRY)(ends, allowed, lambda: config, task)


class ProjectProcess:
    """A process that runs one project's code."""

    def __init__(self, config: Any, confinement: Confinement, task: Task | None = None) -> None:
        """Start it, as a fork of this process or with another interpreter.

        For a fork, nothing of the project may be imported here yet, and no thread may run.

        Args:
            config: Alembic's.
            confinement: how long one request may take, and where the project may connect.
            task: what the request "task" does, in a fork.
        """
        self.time_limit = confinement.time_limit
        """Seconds that one request may take."""
        self._running: tuple[str, ...] = ()
        self._pid = 0
        self._exit = ""
        allowed, python = confinement.allowed, confinement.python
        self._silent = python
        self._process: SupervisedProcess | ProgramProcess
        if not CAN_FORK:
            python = self._silent = python or Path(sys.executable)
            self._process = _program(python)
        elif python is not None:
            self._process = SupervisedProcess(partial(_execute, python, allowed))
        else:
            self._process = SupervisedProcess(_fork(allowed, config, task))
        if python is not None:
            self._process.send((allowed, config_facts(config)))

    def request(self, name: str, *values: Any, handlers: Handlers, meanwhile: Iterator[object] = NOTHING) -> Any:
        """Send a request and return its result.

        Args:
            name: the name of a method of `runner.child.Child`.
            values: its arguments, plain data.
            handlers: what the process may report or ask until then.
            meanwhile: advanced, step by step, while there is nothing to do but wait.

        Raises:
            ProjectFailed: it failed, the process ended, or it took too long.
        """
        if not self._process.is_open:
            raise ProjectFailed(Failure("The project's process has ended already."))
        try:
            self._process.send((name, values))
            kind, answer = self._process.answer(self.time_limit, partial(self._serve, handlers), meanwhile)
        except Closed:
            raise self._ended() from None
        except Overdue as error:
            raise self._too_long(error.stack) from None
        except CodecError as error:
            self.close()
            raise ProjectFailed(Failure(_DAMAGED.format(where=self._where(), error=error))) from None
        if kind == "failed":
            raise ProjectFailed(answer)
        self._silent = None
        return answer

    def _serve(self, handlers: Handlers, callbacks: socket.socket) -> None:
        """Handle one report or question of the process."""
        kind, subject, values = receive(callbacks)
        if kind == "tell" and subject == "running":
            self._running = values
        handler = handlers.get(subject)
        try:
            answer = ("done", handler(*values) if handler is not None else None)
        except PgPatternsError as error:
            answer = ("refused", str(error))
        if kind == "ask":
            send(callbacks, answer)

    def _ended(self) -> ProjectFailed:
        how = self._process.how_it_ended() or "for an unknown reason"
        if self._silent is not None and not self._running:
            return ProjectFailed(Failure(no_python(self._silent, how)))
        return ProjectFailed(
            Failure(
                f"{self._where()}the project's code ended its own process ({how}), so nothing more could "
                "be checked. Look for os._exit(), os.abort() or os.kill() there, or for a crash of a C extension."
            )
        )

    def _where(self) -> str:
        if not self._running:
            return ""
        path, *revision = self._running
        place = relative(path)
        return f"{place}: revision {revision[0]}: " if revision else f"{place}: "

    def _too_long(self, stack: str) -> ProjectFailed:
        at = traceback_text.place(stack, self._running[0] if self._running else None)
        place = Location(relative(at[0]), at[1]) if at is not None else None
        self.close()
        where = f"{place}: " if place else self._where()
        return ProjectFailed(
            Failure(
                f"{where}the project's code ran for longer than time_limit ({self.time_limit:g} s) and was ended "
                'there. If it needs longer, set time_limit = "30m" in [tool.alembic_pgpatterns].',
                place=place,
            )
        )

    def close(self) -> None:
        """End the process and all processes that it has started. Returns when they have ended."""
        self._process.close()


def _program(python: Path) -> ProgramProcess:
    try:
        return ProgramProcess(program(python, BOOTSTRAP_BY_PORT, _ROOT))
    except Closed as error:
        raise ProjectFailed(Failure(no_python(python, str(error) or "for an unknown reason"))) from None
    except OSError:
        raise ProjectFailed(Failure(no_python(python, f"exit code {CANNOT_START}"))) from None


def _execute(python: Path, allowed: Allowed, ends: ChildEnds) -> None:
    """Replace this process by the project's interpreter.

    The kernel's fences stand before it starts, since it runs sitecustomize and .pth files before this package; and what
    these print is not part of the report.
    """
    kernel_fences = stand_in_kernel(allowed)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    numbers = (ends.requests.fileno(), ends.callbacks.fileno(), ends.dump)
    for number in numbers:
        os.set_inheritable(number, True)
    with contextlib.suppress(OSError):
        os.execv(python, [str(python), "-c", BOOTSTRAP, _ROOT, *map(str, numbers), ",".join(kernel_fences)])
    os._exit(CANNOT_START)
