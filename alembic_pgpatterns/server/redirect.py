"""Every connection opened inside `redirect` reaches the given server, whatever URL the project uses."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Dialect, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fences import libpq
from alembic_pgpatterns.fences.refusals import current_place
from alembic_pgpatterns.server import drivers
from alembic_pgpatterns.server.real_database import RealDatabase, real_database

_MARK = "pgpatterns.redirected"
_CONNECTING = ("subscription", "dblink", "program", "foreign schema", "hostaddr")
"""Words without which no statement makes the server connect. What one does that has them, its parse tree says."""

_NONE: Mapping[str, Any] = {}


class RedirectTarget(Protocol):
    """What a redirect needs to know of the server that connections go to; see `protocol.Server`."""

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The connection's parameters, by the names that libpq gives them."""

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one of the name ``wish``."""

    def welcome(self, user: str) -> None:
        """Make the user of a project's URL known as a role."""

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to a database that is ours to use as it is."""


@dataclass(slots=True)
class Routes:
    """Where connections went while they were redirected.

    ``databases``: the scratch database of each origin, in the order of first use. ``connections``: how many were
    opened to each scratch database. ``meant``: by scratch database, libpq's parameters of the real one, with the
    password. ``environment``: the scratch database that variables of the environment name. ``elsewhere``: what was
    let through because no server is behind it (SQLite in memory), for the error when no revision arrived.
    ``statement``: see `redirect`.
    """

    server: RedirectTarget
    prepare: Callable[[str], None] | None = None
    statement: Callable[[str, bool], str] | None = None
    databases: dict[RealDatabase, str] = field(default_factory=dict)
    connections: Counter[str] = field(default_factory=Counter)
    meant: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    environment: str | None = None
    elsewhere: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def origins(self) -> tuple[RealDatabase, ...]:
        """The real databases that the project meant, in the order of first use."""
        return tuple(self.databases)

    def route(self, meant: Mapping[str, str]) -> Mapping[str, str]:
        """The libpq parameters to use in place of the ``meant`` ones; makes the scratch database at first use."""
        if self.server.owns(meant):
            database = meant["dbname"]
        else:
            database = self.database_for(real_database(meant), meant.get("user"))
            self.meant.setdefault(database, dict(meant))
        parameters = self.server.parameters(database)
        libpq.clear()
        libpq.offer(parameters)
        return parameters

    def count(self, meant: Mapping[str, str]) -> Mapping[str, str]:
        """As `route`, and count the connection: for the drivers, through which each goes exactly once."""
        parameters = self.route(meant)
        self.connections[parameters["dbname"]] += 1
        return parameters

    def database_for(self, origin: RealDatabase, user: str | None = None) -> str:
        """The scratch database of an origin; ``user`` becomes a role, as histories GRANT to it and it owns things."""
        with self._lock:
            if origin not in self.databases:
                with drivers.straight():
                    name = self.server.create_scratch(origin.database)
                    if user:
                        self.server.welcome(user)
                    if self.prepare is not None:
                        self.prepare(name)
                self.databases[origin] = name
            return self.databases[origin]


@contextlib.contextmanager
def redirect(
    server: RedirectTarget,
    prepare: Callable[[str], None] | None = None,
    statement: Callable[[str, bool], str] | None = None,
) -> Iterator[Routes]:
    """Send every connection opened inside to ``server``: each (host, port, database) to a scratch database of its own.

    ``prepare`` is called with the name of each scratch database when it was made, before anything connects to it.
    ``statement`` is given each statement that may make the server itself connect to another one, and whether it runs
    in a transaction block; it returns what to run in its place, or raises PgPatternsError.

    SQLAlchemy's engines keep their driver, and what their URL says of the session (``options``, search_path,
    statement caches). psycopg, psycopg2, asyncpg and pg8000 called directly, by ``creator`` or by a pool are redirected
    too; connections that were opened before are replaced at checkout, or refused when a statement is run on them.
    Any other driver or dialect is refused before it connects, but SQLite in memory, which reaches nobody.
    libpq's variables count for nothing inside; what a subprocess does with a server of its own is out of reach.
    """
    routes = Routes(server, prepare, statement)
    with libpq.cleared(), drivers.patched_drivers(routes.count), _listening(routes):
        libpq.offer(server.parameters())
        yield routes


@contextlib.contextmanager
def _listening(routes: Routes) -> Iterator[None]:
    guard = _Guard(routes)
    listeners = (
        (Engine, "do_connect", guard.do_connect),
        (Pool, "connect", guard.connected),
        (Pool, "checkout", guard.checkout),
        (Pool, "checkin", guard.checkin),
        (Engine, "before_cursor_execute", guard.before_cursor_execute, {"retval": True}),
    )
    with contextlib.ExitStack() as stack:
        for target, name, listener, *options in listeners:
            # First of all, so that a project's own listener, which may ask a cloud for a token, is never called.
            _listen_first(target, name, listener, *options)
            stack.callback(event.remove, target, name, listener)
        yield


def _listen_first(target: Any, name: str, listener: Callable[..., Any], options: Mapping[str, Any] = _NONE) -> None:
    try:
        event.listen(target, name, listener, insert=True, **options)
    except TypeError:  # SQLAlchemy 1.4 has no place at the front for listeners of a dialect
        event.listen(target, name, listener, **options)


class _Guard:
    """The listeners of one `redirect`."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    def do_connect(self, dialect: Dialect, record: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """In place of the dialect's own connecting: the same driver, another server."""
        if _is_memory(dialect, arguments):
            self.routes.elsewhere.append("SQLite in memory")
            return None
        if dialect.name != "postgresql":
            raise PgPatternsError(_not_postgresql(dialect, arguments, keywords))
        driver = dialect.driver.removesuffix("_async")
        if driver in drivers.LIBPQ_DRIVERS:
            return dialect.connect(**drivers.libpq_arguments(driver, arguments, keywords, self.routes.route))
        if driver == "asyncpg":
            return dialect.connect(**drivers.asyncpg_arguments(keywords, self.routes.route))
        if driver == "pg8000":
            return dialect.connect(*arguments, **keywords)  # the driver's own constructor is replaced
        raise PgPatternsError(
            f"{_described(dialect, arguments, keywords)}: connections of the driver {dialect.driver!r} cannot be "
            f"redirected to the throw-away server, so this one was not opened. "
            f"Way out: a URL with one of {', '.join(drivers.DRIVERS)} for the check, or --upgrade-command."
        )

    def connected(self, connection: Any, record: Any) -> None:
        """After a pool opened a connection, in whatever way: it must be one to our server."""
        if not self._is_ours(connection):
            raise PgPatternsError(_foreign(connection, "an engine's creator handed out"))
        record.info[_MARK] = self.routes

    def checkout(self, connection: Any, record: Any, proxy: Any) -> None:
        """A pool that was filled before the redirect: SQLAlchemy replaces what we call disconnected."""
        if record.info.get(_MARK) is not self.routes:
            if not self._is_ours(connection):
                raise DisconnectionError("opened before connections were redirected")
            record.info[_MARK] = self.routes

    def checkin(self, connection: Any, record: Any) -> None:
        """A pool gets a connection back, and closes it: an application's own engine lives longer than a run of env.py.

        By the next run the server was restarted, or the database copied, and an asynchronous connection has lost its
        loop. A revision must not fail for that.
        """
        record.invalidate()

    def before_cursor_execute(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, *unused: Any
    ) -> tuple[str, Any]:
        """A connection that was checked out before the redirect; and statements that make the server connect."""
        if connection.info.get(_MARK) is not self.routes:
            driven = connection.connection.driver_connection
            if connection.dialect.name == "postgresql" and not self._is_ours(driven):
                raise PgPatternsError(_foreign(driven, "the project uses"))
            connection.info[_MARK] = self.routes
        if self.routes.statement is not None and any(word in statement.lower() for word in _CONNECTING):
            in_transaction = not _is_autocommit(connection.connection.dbapi_connection)
            try:
                statement = self.routes.statement(statement, in_transaction)
            except PgPatternsError as error:
                raise PgPatternsError(f"{current_place()}: {error}") from error
        return statement, parameters

    def _is_ours(self, connection: Any) -> bool:
        try:
            return self._leads_to_us(getattr(connection, "driver_connection", connection))
        except Exception:  # each driver has an error of its own for "it is closed"
            return False

    def _leads_to_us(self, driven: Any) -> bool:
        family = type(driven).__module__.partition(".")[0]
        if family in ("sqlite3", "aiosqlite"):
            return True
        if hasattr(driven, "info") and hasattr(driven.info, "dsn_parameters"):  # psycopg2, subclasses included
            return self.routes.server.owns(driven.info.dsn_parameters)
        if hasattr(driven, "info") and hasattr(driven.info, "get_parameters"):  # psycopg
            info = driven.info
            return self.routes.server.owns({"host": info.host, "port": str(info.port), "dbname": info.dbname})
        if hasattr(driven, "pgpatterns_database"):  # pg8000: only connections that we redirected have that
            return True
        return hasattr(driven, "_addr") and self.routes.server.owns(_asyncpg_place(driven))


def _is_autocommit(connection: Any) -> bool:
    """Whether each statement is a transaction of its own, as the driver or SQLAlchemy's adapter of it says."""
    return bool(getattr(connection, "autocommit", False)) or getattr(connection, "isolation_level", "") == "autocommit"


def _asyncpg_place(connection: Any) -> Mapping[str, str]:
    address = connection._addr
    if isinstance(address, str):
        host, _, port = address.rpartition("/.s.PGSQL.")
    else:
        host, port = address[0], str(address[1])
    return {"host": host, "port": port, "dbname": connection._params.database}


def _is_memory(dialect: Dialect, arguments: list[Any]) -> bool:
    database = str(arguments[0]) if arguments else ""
    return dialect.name == "sqlite" and (database in ("", ":memory:") or "mode=memory" in database)


def _described(dialect: Dialect, arguments: list[Any], keywords: Mapping[str, Any]) -> str:
    """The URL that was meant, as far as the driver's arguments tell it, without its password."""
    database = keywords.get("dbname") or keywords.get("database") or keywords.get("db") or (arguments or [None])[0]
    host, port = keywords.get("host"), keywords.get("port")
    url = URL.create(
        f"{dialect.name}+{dialect.driver}",
        username=keywords.get("user"),
        password="hidden" if keywords.get("password") or keywords.get("passwd") else None,
        host=host if isinstance(host, str) else None,
        port=port if isinstance(port, int) else None,
        database=str(database) if database else None,
    )
    return url.render_as_string(hide_password=True)


def _not_postgresql(dialect: Dialect, arguments: list[Any], keywords: Mapping[str, Any]) -> str:
    return (
        f"the project connects to {_described(dialect, arguments, keywords)}, which is not PostgreSQL; it was not "
        "opened. Way out: give the project a PostgreSQL URL for the check (any: it is redirected), in alembic.ini, "
        "by -x, or by the variable that env.py reads."
    )


def _foreign(connection: Any, who: str) -> str:
    return (
        f"{who} a connection ({type(connection).__module__}.{type(connection).__qualname__}) that does not lead to "
        "the throw-away server; nothing was run on it. Way out: open it inside env.py by an engine with a URL, or by "
        f"one of {', '.join(drivers.DRIVERS)}; or use --upgrade-command."
    )
