"""A PostgreSQL that the user names, such as a CI service container. Only the databases made here are used."""

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
from alembic_pgpatterns.server.subscriptions import drop_database

PREFIX = "pgpatterns_"
_AS_TEMPLATE = sql.SQL("")
"""No options for CREATE DATABASE."""
_UTF8 = {"client_encoding": "utf8"}
"""By default it is the database's; in one of SQL_ASCII psycopg then gives bytes for text (docs, "Adaptation")."""

# A program of its own. If its input ends without "done", the process that made the databases was killed.
_WATCHDOG = """
import signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):  # Windows has no SIGHUP
        signal.signal(getattr(signal, name), signal.SIG_IGN)
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
    """A server that the user named; made by `external_server`."""

    def __init__(
        self, route: Mapping[str, str], version: int, watchdog: _Watchdog, encoding: sql.Composable = _AS_TEMPLATE
    ) -> None:
        """``route``: libpq's parameters of the maintenance database; ``version``: ``server_version_num``.

        ``encoding``: the options of CREATE DATABASE that give a new database UTF8.
        """
        self._route = dict(route)
        self._version = version
        self._watchdog = watchdog
        self._encoding = encoding
        self._made: list[str] = []

    @property
    def version(self) -> int:
        """``server_version_num``, 180006 for 18.6."""
        return self._version

    @property
    def source(self) -> str:
        """The server's address for messages, without a password."""
        return f"the server at {self._route.get('host', 'localhost')}:{self._route.get('port', '5432')}"

    @property
    def log(self) -> Path | None:
        """None: its log cannot be read."""
        return None

    @property
    def is_fenced(self) -> bool:
        """False: it was not started here."""
        return False

    def parameters(self, database: str | None = None) -> Mapping[str, str]:
        """libpq's parameters for a connection to a database; by default to the maintenance database."""
        return self._route if database is None else {**self._route, "dbname": database}

    def by_socket(self, database: str | None = None) -> Mapping[str, str]:
        """The same: the fences let connections to a named server through, however it is reached."""
        return self.parameters(database)

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
        # The parameters hold the values of libpq's variables already.
        with drivers.straight(), libpq.cleared():
            return psycopg.connect(make_conninfo("", **{**self.parameters(database), **_UTF8}), autocommit=True)

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database with a random name, empty or a copy of ``template``, and return that name.

        ``name`` is not used: on this server another database may have it.
        """
        # Random, so that no database of the server's owner has the name, and two runs do not meet.
        name = PREFIX + secrets.token_hex(8)
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            # template1 may contain objects of others, and cannot be copied while another session is connected to it.
            sql.Identifier(name),
            sql.Identifier(template or "template0"),
        )
        if template is None:
            command += self._encoding
        self._watchdog.tell(name)
        self._made.append(name)
        with self.connect() as connection:
            connection.execute(command)
        return name

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one named ``wish``; here always with a random name."""
        return self.create_database(wish)

    def welcome(self, user: str) -> None:
        """Do nothing: roles belong to the whole server, which is the user's."""

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters name one of our databases; nobody can guess their names."""
        return parameters.get("dbname") in self._made

    def drop_database(self, name: str) -> None:
        """Drop a database that was made here, and end its connections. Any other name is refused."""
        if name not in self._made:
            raise PgPatternsError(
                f"the database {name!r} of {self.source} was not made by this run, so it is not dropped"
            )
        drop_database(self, name)
        self._made.remove(name)

    def drop_all(self) -> None:
        """Drop all databases that were made here. Raises PgPatternsError that names those that could not be dropped."""
        try:
            for name in list(self._made):
                self.drop_database(name)
        except psycopg.Error as error:
            raise PgPatternsError(
                f"{self.source} could not drop the scratch databases {', '.join(self._made)}: {error}\n"
                "Drop them yourself."
            ) from error

    def failure(self) -> str | None:
        """None: we cannot know whether it runs."""
        return None


class _Watchdog:
    """A program that drops our databases if this process is killed."""

    def __init__(self, route: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WATCHDOG],  # a signal.py of the project is none of its modules
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in libpq.VARIABLES},
        )
        # Through the pipe and not as an argument or variable, which others could read: it holds the password.
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
    """The server at ``url``. Scratch databases with random names are created there, and dropped at the end.

    ``url``: any database there, with a role that may create databases; libpq's variables complete it.
    ``roles`` must exist: roles belong to the whole server, and we do not change it. On SIGTERM the databases are
    dropped; if this process is killed, the watchdog drops them.
    Raises PgPatternsError if the server cannot be reached, is older than 14, refuses databases, or lacks a role.
    """
    try:
        place = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:  # ValueError: the port is not a number
        raise PgPatternsError(
            "the given server is not a URL such as postgresql://user:password@host:5432/postgres"
        ) from error
    route, version, encoding = _look(place, roles)
    watchdog = _Watchdog(route)
    server = ExternalServer(route, version, watchdog, encoding)
    try:
        with sigterm_as_exit():
            try:
                yield server
            finally:
                server.drop_all()
    finally:
        watchdog.dismiss()


def _look(url: sqlalchemy.URL, roles: Sequence[str]) -> tuple[dict[str, str], int, sql.Composable]:
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise PgPatternsError(f"the server {shown} is not PostgreSQL")
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with drivers.straight(), psycopg.connect(make_conninfo(plain, **_UTF8), autocommit=True) as connection:
            _demand(connection, shown, roles)
            return _route(connection, plain), connection.info.server_version, _encoding(connection)
    except psycopg.Error as error:
        raise PgPatternsError(
            f"the server {shown} could not be used: {str(error).strip()}\n"
            "It comes from --server, PGPATTERNS_SERVER or the setting `server`; without it the check starts its own."
        ) from error


def _route(connection: psycopg.Connection[Any], plain: str) -> dict[str, str]:
    """All parameters that libpq used, from wherever (URL, environment, service, password file), as explicit values."""
    from_url = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    info = connection.info
    used = from_url | info.get_parameters() | {"host": info.host, "port": str(info.port), "dbname": info.dbname}
    if info.password:
        used["password"] = info.password
    # They were used already. A second look-up of the service could give other values.
    for name in ("service", "servicefile", "options", "fallback_application_name", "client_encoding"):
        used.pop(name, None)
    return used


def _encoding(connection: psycopg.Connection[Any]) -> sql.Composable:
    """The options of CREATE DATABASE that give a new database UTF8, whatever the cluster was made with.

    A cluster made with ``LC_ALL=C`` is SQL_ASCII: there SQLAlchemy with psycopg fails, since it gets bytes for text,
    asyncpg does not connect, and names outside of ASCII have no meaning. Only template0 may be copied with another
    encoding, and the locale has to fit it; C fits every one (docs, CREATE DATABASE, "Notes").
    """
    row = connection.execute(
        "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = 'template0'"
    ).fetchone()
    if row is None or row[0] == "UTF8":
        return _AS_TEMPLATE
    utf8 = sql.SQL(" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    # Before 15 libc is the only provider, and there is no such option.
    return utf8 + sql.SQL(" LOCALE_PROVIDER libc") if connection.info.server_version >= 150000 else utf8


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
            "Roles belong to the whole server, so none is created there: create them yourself, or check without "
            "--server."
        )
