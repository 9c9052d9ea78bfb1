"""A PostgreSQL that somebody else runs, such as a service container of CI: our databases there, and nothing else."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import libpq
from alembic_pgpatterns.server import drivers
from alembic_pgpatterns.server.binaries import OLDEST
from alembic_pgpatterns.server.signals import sigterm_as_exit

PREFIX = "pgpatterns_"

# Runs in a process of its own: when its input ends without "done", whoever made the databases was killed.
_WATCHDOG = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
conninfo, names = sys.stdin.readline().rstrip("\\n"), []
for line in sys.stdin:
    if line == "done\\n":
        sys.exit()
    names.append(line.rstrip("\\n"))
if names:
    import psycopg
    from psycopg import sql
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
"""


class ExternalServer:
    """A server that we were given; made by `external_server`."""

    def __init__(self, route: Mapping[str, str], version: int, watchdog: _Watchdog) -> None:
        """``route``: libpq's parameters of the maintenance database; ``version``: ``server_version_num``."""
        self._route = dict(route)
        self._version = version
        self._watchdog = watchdog
        self._made: list[str] = []

    @property
    def version(self) -> int:
        """``server_version_num``, 180006 for 18.6."""
        return self._version

    @property
    def source(self) -> str:
        """The server's place, for people; without a password."""
        return f"the server at {self._route.get('host', 'localhost')}:{self._route.get('port', '5432')}"

    @property
    def log(self) -> Path | None:
        """Its log is not ours to read."""
        return None

    @property
    def is_fenced(self) -> bool:
        """No: it runs elsewhere, as somebody else has started it."""
        return False

    def parameters(self, database: str | None = None) -> Mapping[str, str]:
        """The connection's parameters, by the names that libpq gives them; else of the maintenance database."""
        return self._route if database is None else {**self._route, "dbname": database}

    def url(self, database: str | None = None) -> sqlalchemy.URL:
        """The URL of a database for SQLAlchemy with psycopg."""
        facts = dict(self.parameters(database))
        return sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=facts.pop("user", None),
            password=facts.pop("password", None),
            database=facts.pop("dbname"),
            query=facts,
        )

    def connect(self, database: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in autocommit mode; the caller closes it."""
        # What the variables said is among the parameters already.
        with drivers.straight(), libpq.cleared():
            return psycopg.connect(make_conninfo("", **self.parameters(database)), autocommit=True)

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database of a random name, empty or a copy of ``template``, and return that name.

        The ``name`` asked for is not used: it may be somebody's there.
        """
        name = PREFIX + secrets.token_hex(8)
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        self._watchdog.tell(name)
        self._made.append(name)
        with self.connect() as connection:
            connection.execute(command)
        return name

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one of the name ``wish``; here always of a random name."""
        return self.create_database(wish)

    def welcome(self, user: str) -> None:
        """Nothing: roles belong to the whole server, and it is not ours."""

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters name one of the databases that we made, whose names nobody can guess."""
        return parameters.get("dbname") in self._made

    def drop_database(self, name: str) -> None:
        """Drop a database that we made, with whoever is connected; any other name is refused."""
        if name not in self._made:
            raise PgPatternsError(f"the database {name!r} of {self.source} is not ours to drop")
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def drop_all(self) -> None:
        """Drop every database that we made. Raises PgPatternsError that names those that stay."""
        try:
            for name in list(self._made):
                self.drop_database(name)
        except psycopg.Error as error:
            raise PgPatternsError(
                f"{self.source} did not let go of the scratch databases {', '.join(self._made)}: {error}\n"
                "Drop them by hand."
            ) from error

    def failure(self) -> str | None:
        """None: whether it runs is not ours to know."""
        return None


class _Watchdog:
    """A process that drops our databases when this one is killed."""

    def __init__(self, route: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCHDOG],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in libpq.VARIABLES},
        )
        # By the pipe and not as an argument or a variable, which others could read: it holds the password.
        self.tell(make_conninfo("", **route))

    def tell(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line.replace("\n", " ").encode() + b"\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        with contextlib.suppress(OSError):
            self._process.communicate(b"done\n")


@contextlib.contextmanager
def external_server(url: str | sqlalchemy.URL, *, roles: Sequence[str] = ()) -> Iterator[ExternalServer]:
    """The server at ``url``, in which scratch databases of random names are made, and dropped at the end.

    ``url``: of any database there, with a role that may create databases; libpq's variables complete it.
    ``roles`` must exist: roles belong to the whole server, which is not ours to change. SIGTERM ends the program
    in order; a process of its own drops the databases when this one is killed.
    Raises PgPatternsError when it cannot be reached, is older than 14, forbids databases, or lacks a role.
    """
    try:
        place = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:  # ValueError: of a port that is no number
        raise PgPatternsError(
            "the server that was named is not a URL; one looks like postgresql://user:password@host:5432/postgres"
        ) from error
    route, version = _look(place, roles)
    watchdog = _Watchdog(route)
    server = ExternalServer(route, version, watchdog)
    try:
        with sigterm_as_exit():
            try:
                yield server
            finally:
                server.drop_all()
    finally:
        watchdog.dismiss()


def _look(url: sqlalchemy.URL, roles: Sequence[str]) -> tuple[dict[str, str], int]:
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise PgPatternsError(f"the server {shown} is not PostgreSQL")
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with drivers.straight(), psycopg.connect(plain, autocommit=True) as connection:
            _demand(connection, shown, roles)
            return _route(connection, plain), connection.info.server_version
    except psycopg.Error as error:
        raise PgPatternsError(
            f"the server {shown} could not be used: {str(error).strip()}\n"
            "It was named by --server, PGPATTERNS_SERVER or the setting `server`; without it the check starts one."
        ) from error


def _route(connection: psycopg.Connection[Any], plain: str) -> dict[str, str]:
    """All that libpq used, wherever it came from (URL, environment, service, password file), said outright."""
    given = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    info = connection.info
    used = given | info.get_parameters() | {"host": info.host, "port": str(info.port), "dbname": info.dbname}
    if info.password:
        used["password"] = info.password
    for name in ("service", "servicefile", "options", "fallback_application_name"):
        used.pop(name, None)
    return used


def _demand(connection: psycopg.Connection[Any], shown: str, roles: Sequence[str]) -> None:
    if connection.info.server_version < OLDEST:
        raise PgPatternsError(f"the server {shown} is older than PostgreSQL {OLDEST // 10000}")
    row = connection.execute(
        "SELECT rolsuper OR rolcreatedb, current_user FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None or not row[0]:
        raise PgPatternsError(
            f"the role {row[1] if row else '?'} of {shown} may not create databases. "
            "Way out: ALTER ROLE ... CREATEDB, or name another role."
        )
    present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    missing = [name for name in roles if name not in present]
    if missing:
        raise PgPatternsError(
            f"the server {shown} has no role {', '.join(map(repr, missing))}, which the setting `roles` names. "
            "Roles belong to the whole server, so none is created there: create them by hand, or check without "
            "--server."
        )
