"""A PostgreSQL for one run: started in a tenth of a second, and always removed afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from psycopg import sql

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import libpq
from alembic_pgpatterns.server import cluster, files, process
from alembic_pgpatterns.server.account import Account
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.find_account import server_account
from alembic_pgpatterns.server.folder import RunFolder, run_folder, sweep
from alembic_pgpatterns.server.installation import reachable
from alembic_pgpatterns.server.lost import is_lost, refusal
from alembic_pgpatterns.server.programs import Binaries
from alembic_pgpatterns.server.server_settings import OWN_SESSION, SETTINGS
from alembic_pgpatterns.server.subscriptions import drop_database

_CHANGEABLE = ("fsync",)
"""An empty value leaves these out of the command line, which has priority over ALTER SYSTEM."""
_NO_TLS: Mapping[str, str] = {"sslmode": "disable", "gssencmode": "disable"}
# NAMEDATALEN - 1.
_NAME_BYTES = 63
_START_SECONDS = 60.0
_LOG_TAIL = 15
"""Number of lines of the server's log that an error shows."""


class ThrowawayServer:
    """A running PostgreSQL that belongs to this process; made by `throwaway_server`."""

    def __init__(
        self, binaries: Binaries, account: Account, folder: RunFolder, settings: Mapping[str, str], port: int | None
    ) -> None:
        """Nothing runs yet: `start` does that. ``port``: of TCP on 127.0.0.1, or None for only a socket."""
        self.binaries = binaries
        self.account = account
        self.folder = folder.path
        self._run_folder = folder
        self.port = port or 5432
        self.password: str | None = None
        self._settings = {**SETTINGS, **settings, "listen_addresses": "127.0.0.1" if port else ""}
        self._settings["hba_file"] = str(self.folder / cluster.HBA_FILE)
        if binaries.version >= 180000:
            # Real extensions first: a stand-in is only for one that this server lacks.
            self._settings.setdefault("extension_control_path", f"$system:{self.folder / cluster.SHARE}")
        self._process: subprocess.Popen[bytes] | None = None
        # A forked process must not stop its parent's server.
        self._owner = os.getpid()

    @property
    def version(self) -> int:
        """``server_version_num``, 180006 for 18.6."""
        return self.binaries.version

    @property
    def source(self) -> str:
        """Where its programs come from, for messages."""
        return self.binaries.source

    @property
    def data(self) -> Path:
        """The data folder. It belongs to the account: read it only with the module `files`."""
        return self.sockets / "data"

    @property
    def sockets(self) -> Path:
        """The folder of the server's socket, which libpq accepts as a host."""
        return self._run_folder.inner

    @property
    def log(self) -> Path | None:
        """The server's log, outside the data folder; it is deleted with the server."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """The process id of the server. Raises PgPatternsError if it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise PgPatternsError(self.failure() or "the throw-away PostgreSQL was stopped")
        return self._process.pid

    @property
    def is_fenced(self) -> bool:
        """Whether the kernel stops it from connecting to others."""
        return process.is_fenced(self.version)

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The parameters for a connection, with libpq's names.

        By the socket; on a server with ``listen`` by TCP with a password.
        """
        facts = {"port": str(self.port), "user": cluster.SUPERUSER, "dbname": database, **_NO_TLS}
        if self.password is None:
            return {"host": str(self.sockets), **facts}
        return {"host": "127.0.0.1", "password": self.password, **facts}

    def by_socket(self, database: str = "postgres") -> Mapping[str, str]:
        """The same by the socket in any case: the fences of the project's process let nothing else through."""
        return {**self.parameters(database), "host": str(self.sockets)}

    def url(self, database: str = "postgres") -> sqlalchemy.URL:
        """The URL of a database for SQLAlchemy with psycopg; the host is the socket's folder, in its query."""
        facts = self.parameters(database)
        return sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=facts["user"],
            password=facts.get("password"),
            database=database,
            query={name: facts[name] for name in ("host", "port")},
        )

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in autocommit mode; the caller closes it.

        Raises PgPatternsError with the last lines of the log if the server has ended.
        """
        try:
            with libpq.cleared():
                # Explicit, because otherwise psycopg reads PGCONNECT_TIMEOUT from os.environ.
                facts = {**self.parameters(database), "connect_timeout": "60", **OWN_SESSION}
                return psycopg.connect(**facts, autocommit=True)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            server_failure = self.failure()
            if server_failure is None:
                raise
            raise PgPatternsError(server_failure) from error

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, empty or a copy of ``template``, and return its name (always ``name`` here)."""
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        if self.version >= 150000:
            # Half the time of WAL_LOG: it needs checkpoints, but they have nothing to sync, since fsync is off.
            command += sql.SQL(" STRATEGY FILE_COPY")
        self._run(command)
        return name

    def create_scratch(self, wish: str) -> str:
        """Create a database named ``wish``, since revisions say ALTER DATABASE app; if it is taken, one like it."""
        with self.connect() as connection:
            existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        wish = _cut(wish, _NAME_BYTES)
        numbered = (f"{_cut(wish, _NAME_BYTES - 8)}_{number}" for number in itertools.count(2))
        name = next(name for name in itertools.chain([wish], numbered) if name and name not in existing)
        return self.create_database(name)

    def welcome(self, user: str) -> None:
        """Make the user of a project's URL a role without login: revisions GRANT to it, and it owns objects."""
        # A name that starts with pg_; the project's real server cannot have such a user either.
        with contextlib.suppress(psycopg.errors.ReservedName):
            self.create_roles([_cut(user, _NAME_BYTES)])

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to this server; nobody else knows the socket's folder or the password."""
        # With ``listen`` both ways are used: TCP by a command, the socket by the project's process.
        hosts = (self.parameters()["host"], self.by_socket()["host"])
        return parameters.get("host") in hosts and parameters.get("port") == str(self.port)

    def drop_database(self, name: str) -> None:
        """Drop a database and end its connections; no error if it does not exist."""
        drop_database(self, name)

    def create_roles(self, names: Sequence[str]) -> None:
        """Create roles without login, for the GRANTs and owners in a history. Existing roles stay.

        Raises psycopg.Error for names that PostgreSQL reserves.
        """
        with self.connect() as connection:
            present = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for name in dict.fromkeys(names):
                if name not in present:
                    connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))

    def set_password(self, password: str) -> None:
        """Give the superuser a password. From now on `parameters` leads to TCP."""
        command = sql.SQL("ALTER ROLE {} PASSWORD {}")
        self._run(command.format(sql.Identifier(cluster.SUPERUSER), sql.Literal(password)))
        self.password = password

    def save(self, destination: Path, notes: Mapping[str, str] | None = None, *, resume: bool = True) -> None:
        """Keep a copy of the cluster in the folder ``destination``, for ``throwaway_server(snapshot=...)``.

        The server is stopped, copied and started again (``resume``), so every connection ends. It gets another port
        then, so that a connection kept open by the project is recognised as dead. A complete copy that exists already
        stays. ``notes``: texts by name of the file beside the copy that holds them.
        Raises PgPatternsError if the copy cannot be written; also then the server runs again.
        """
        self.stop(in_order=True)
        try:
            cluster.slim(self._run_folder, self.binaries, self.account)
            destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            cluster.keep(self.data, destination, self.account, notes)
        except OSError as error:
            raise PgPatternsError(
                f"a snapshot of the throw-away PostgreSQL could not be written to {destination}: {error}\n"
                f"{cluster.way_out(str(error))}"
            ) from error
        finally:
            if resume:
                self.port += 0 if self.password is not None else 1
                self.start()

    def start(self) -> None:
        """Start the server on its data folder and wait until it answers.

        Raises PgPatternsError with the last lines of its log if it does not answer.
        """
        command = [str(self.binaries.postgres), "-D", str(self.data), "-k", str(self.sockets), "-p", str(self.port)]
        for name, value in self._settings.items():
            if not value and name in _CHANGEABLE:
                continue
            command += ["-c", f"{name}={value}"]
        try:
            with (self.folder / "server.log").open("ab") as log:
                self._process = process.start(command, self.account, self.version, self.sockets, log)
        except OSError as error:
            raise PgPatternsError(
                f"{self.binaries.postgres} could not be started as {self.account.name!r}: {error}\n"
                f"{cluster.way_out(str(error))}"
            ) from error
        self._run_folder.started(self._process.pid)
        self._wait_until_ready()

    def stop(self, *, in_order: bool = False) -> None:
        """Stop the server at once; or in order, so that its files can be kept (docs, "Shutting Down the Server")."""
        running, self._process = self._process, None
        if running is None or os.getpid() != self._owner:
            return
        if running.poll() is None:
            running.send_signal(signal.SIGINT if in_order else signal.SIGQUIT)
        try:
            running.wait(120 if in_order else 10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()

    def failure(self, grace: float = 0.0) -> str | None:
        """Why the server ended unexpectedly, with the last lines of its log; None while it runs.

        ``grace``: seconds to wait for its end, because clients lose the connection slightly earlier.
        """
        if self._process is None or os.getpid() != self._owner:
            return None
        try:
            code = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        tail = self._tail()
        return (
            f"the throw-away PostgreSQL ({self.source}) {how}. The last lines of its log:\n{tail}\n"
            f"{cluster.way_out(tail)}"
        )

    def _tail(self) -> str:
        try:
            with (self.folder / "server.log").open("rb") as log:
                log.seek(max(0, log.seek(0, 2) - 16384))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError as error:
            return f"  (it cannot be read: {error})"
        return "\n".join(f"  {line}" for line in lines[-_LOG_TAIL:])

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if (server_failure := self.failure()) is not None:
                raise PgPatternsError(server_failure)
            with contextlib.suppress(OSError, IndexError):
                # Line 8 has the server's state, as pg_ctl reads it. That is quicker than trying to connect, and leaves
                # no line in the log.
                if files.read_text(self.sockets, "data", "postmaster.pid").splitlines()[7].strip() == "ready":
                    return
            time.sleep(0.003)
        raise PgPatternsError(
            f"the throw-away PostgreSQL ({self.source}) was not ready after {_START_SECONDS:.0f} s. "
            f"The last lines of its log:\n{self._tail()}"
        )

    def _run(self, command: sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(command)


@contextlib.contextmanager
def throwaway_server(
    binaries: Binaries | None = None,
    *,
    roles: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    snapshot: Path | None = None,
    listen: bool = False,
    on_disk: bool = False,
) -> Iterator[ThrowawayServer]:
    """A PostgreSQL for the time of the ``with``. Afterwards it and all its files are removed, also if we are killed.

    ``roles`` are created first, without login. ``settings`` have priority over the defaults (no fsync, no autovacuum).
    ``snapshot``: start from a folder that `ThrowawayServer.save` wrote. ``listen``: also on 127.0.0.1, at a free
    port with a random ``password``, for programs that cannot use a socket. For root it runs as an unprivileged account.
    ``on_disk``: never in memory, however much there is.
    Raises PgPatternsError, with the way out, if there is no PostgreSQL, no space, or if the server ended.
    """
    account = server_account()
    binaries = reachable(binaries or find_binaries(), account)
    sweep()
    with run_folder(account, on_disk) as folder:
        port = _free_port() if listen else None
        server = ThrowawayServer(binaries, account, folder, settings or {}, port)
        try:
            _begin(server, folder, snapshot)
            _create_roles(server, roles)
            if listen:
                server.set_password(secrets.token_urlsafe(24))
            yield server
        except Exception as error:
            server_failure = server.failure(grace=1.0 if is_lost(error) else 0.0) or refusal(error)
            if server_failure is None or server_failure in str(error):
                raise
            raise PgPatternsError(server_failure) from error
        finally:
            server.stop()


def _create_roles(server: ThrowawayServer, roles: Sequence[str]) -> None:
    try:
        server.create_roles(roles)
    except psycopg.Error as error:
        raise PgPatternsError(
            f"the setting `roles` ({', '.join(map(repr, roles))}) names a role that cannot be created: "
            f"{str(error).strip()}"
        ) from error


def _cut(name: str, length: int) -> str:
    """The name as PostgreSQL would cut it: to so many bytes, without half a character."""
    return name.encode()[:length].decode(errors="ignore")


def _begin(server: ThrowawayServer, folder: RunFolder, snapshot: Path | None) -> None:
    try:
        cluster.lay_out(server.folder)
        if snapshot is not None:
            cluster.copy_whole(snapshot, server.data, server.account)
    except OSError as error:
        message = str(error)
        origin = f" from the snapshot {snapshot}" if snapshot else ""
        raise PgPatternsError(
            f"the throw-away PostgreSQL could not be created{origin}: {message}\n{cluster.way_out(message)}"
        ) from error
    if snapshot is not None:
        server.start()
    else:
        _begin_afresh(server, folder)


def _begin_afresh(server: ThrowawayServer, folder: RunFolder) -> None:
    from_cache = cluster.fill(folder, server.binaries, server.account)
    try:
        server.start()
    except PgPatternsError:
        if not from_cache:
            raise
        # Damage that counting files and bytes did not show: try again, without the cache.
        server.stop()
        cluster.forget(server.binaries, server.account)
        cluster.fill(folder, server.binaries, server.account)
        server.start()


def _free_port() -> int:
    with socket.socket() as probe:
        # PostgreSQL takes no port 0, so the system is asked before. If another program is faster, the server says so
        # and ends.
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
