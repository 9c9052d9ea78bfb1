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
_CONNECTING = ("subscription", "dblink", "program", "foreign schema", "hostaddr", 'u&"')
"""Only statements with one of these can make the server connect. The parse tree then says what they do.

``U&"…"`` is a name with escapes, which may be any of them.
"""
_LOGGING = ("log_statement", "log_min_messages", "log_error_verbosity", "log_min_error_statement", "log_line_prefix")
"""The settings of the server's log that a check reads."""

_NONE: Mapping[str, Any] = {}


class RedirectTarget(Protocol):
    """What a redirect needs of the server that connections go to; see `protocol.Server`."""

    def parameters(self, database: str = "postgres") -> Mapping[str, str]:
        """The parameters for a connection, with libpq's names."""

    def create_scratch(self, wish: str) -> str:
        """Create a database for the real one named ``wish``."""

    def welcome(self, user: str) -> None:
        """Create a role for the user in a project's URL."""

    def owns(self, parameters: Mapping[str, str]) -> bool:
        """Whether libpq parameters lead to a scratch database, which is used as it is."""


@dataclass(slots=True)
class Routes:
    """Where connections went while they were redirected.

    ``databases``: the scratch database of each origin, in the order of first use. ``connections``: the number of
    connections to each scratch database. ``real_parameters``: by scratch database, libpq's parameters of the real one,
    with the password. ``environment``: the scratch database for variables of the environment. ``elsewhere``:
    connections that were allowed because they reach no server (SQLite in memory), for the error if no revision was run.
    ``statement``: see `redirect`. ``refused``: the URLs that are none of PostgreSQL's. ``search_paths``: the statements
    that may set one. ``aliases``: scratch databases by other names that a project may have been given for them.
    """

    server: RedirectTarget
    prepare: Callable[[str], None] | None = None
    statement: Callable[[str, bool], str] | None = None
    databases: dict[RealDatabase, str] = field(default_factory=dict)
    connections: Counter[str] = field(default_factory=Counter)
    real_parameters: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    environment: str | None = None
    elsewhere: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    search_paths: list[str] = field(default_factory=list)
    aliases: dict[RealDatabase, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def origins(self) -> tuple[RealDatabase, ...]:
        """The real databases that the project wanted to use, in the order of first use."""
        return tuple(self.databases)

    def route(self, requested: Mapping[str, str]) -> Mapping[str, str]:
        """The libpq parameters to use instead of the ``requested`` ones; creates the scratch database at first use."""
        if self.server.owns(requested):
            database = requested["dbname"]
        else:
            database = self.database_for(real_database(requested), requested.get("user"))
            self.real_parameters.setdefault(database, dict(requested))
        parameters = self.server.parameters(database)
        # The project may have set one of the variables since the last connection.
        libpq.clear()
        libpq.offer(parameters)
        return parameters

    def count(self, requested: Mapping[str, str]) -> Mapping[str, str]:
        """As `route`, and count the connection. For the drivers: each connection passes one exactly once."""
        parameters = self.route(requested)
        self.connections[parameters["dbname"]] += 1
        return parameters

    def database_for(self, origin: RealDatabase, user: str | None = None) -> str:
        """The scratch database of an origin. ``user`` becomes a role: revisions GRANT to it, and it owns objects."""
        with self._lock:
            if origin not in self.databases and origin in self.aliases:
                return self.aliases[origin]
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

    ``prepare`` is called with the name of each new scratch database, before anything connects to it.
    ``statement`` is called with each statement that may make the server connect to another one, and with whether it
    runs in a transaction block. It returns the statement to run instead, or raises PgPatternsError.

    SQLAlchemy's engines keep their driver and the parts of their URL that concern the session (``options``,
    search_path, statement caches). psycopg, psycopg2, asyncpg and pg8000 are redirected too if they are called
    directly, by a ``creator`` or by a pool. Connections that were opened before are replaced at checkout, or refused at
    their next statement. Any other driver or dialect is refused before it connects, except SQLite in memory, which
    reaches no server. libpq's variables are ignored inside. A subprocess with a server of its own is out of reach.
    """
    routes = Routes(server, prepare, statement)
    with libpq.cleared(), drivers.patched_drivers(routes.count), _listening(routes):
        libpq.offer(server.parameters())
        yield routes


@contextlib.contextmanager
def _listening(routes: Routes) -> Iterator[None]:
    guard = _Guard(routes)
    listeners = (
        # SQLAlchemy uses the connection that this listener returns, and does not connect itself (docs,
        # DialectEvents.do_connect).
        (Engine, "do_connect", guard.do_connect),
        (Pool, "connect", guard.connected),
        (Pool, "checkout", guard.checkout),
        (Pool, "checkin", guard.checkin),
        (Engine, "before_cursor_execute", guard.before_cursor_execute, {"retval": True}),
    )
    with contextlib.ExitStack() as stack:
        for target, name, listener, *options in listeners:
            # Insert it first: the project's own listener, which may ask a cloud for a token, must not be called.
            _listen_first(target, name, listener, *options)
            stack.callback(event.remove, target, name, listener)
        yield


def _listen_first(target: Any, name: str, listener: Callable[..., Any], options: Mapping[str, Any] = _NONE) -> None:
    try:
        event.listen(target, name, listener, insert=True, **options)
    except TypeError:  # SQLAlchemy 1.4: no insert=True for a dialect
        event.listen(target, name, listener, **options)


class _Guard:
    """The listeners of one `redirect`."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    def do_connect(self, dialect: Dialect, record: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Connect instead of the dialect: same driver, our server."""
        if _is_memory(dialect, arguments):
            self.routes.elsewhere.append("SQLite in memory")
            return None
        if dialect.name != "postgresql":
            self.routes.refused.append(_described(dialect, arguments, keywords))
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
        """A pool opened a connection, in whatever way: it must lead to our server."""
        if not self._is_ours(connection):
            raise PgPatternsError(_foreign(connection, "an engine's creator handed out"))
        record.info[_MARK] = self.routes

    def checkout(self, connection: Any, record: Any, proxy: Any) -> None:
        """A pool that was filled before the redirect: SQLAlchemy replaces a connection reported as disconnected."""
        if record.info.get(_MARK) is not self.routes:
            if not self._is_ours(connection):
                raise DisconnectionError("opened before connections were redirected")
            record.info[_MARK] = self.routes

    def checkin(self, connection: Any, record: Any) -> None:
        """A pool gets a connection back: close it, because an application's engine outlives the run of env.py.

        Before the next run the server may restart or the database be copied, and an asynchronous connection belongs to
        an event loop that has ended. A revision must not fail because of that.
        """
        record.invalidate()

    def before_cursor_execute(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, *unused: Any
    ) -> tuple[str, Any]:
        """Refuse a connection checked out before the redirect; handle statements that make the server connect."""
        if connection.info.get(_MARK) is not self.routes:
            driven = connection.connection.driver_connection
            if connection.dialect.name == "postgresql" and not self._is_ours(driven):
                raise PgPatternsError(_foreign(driven, "the project uses"))
            connection.info[_MARK] = self.routes
        # Only a first look, since every statement passes here; the parent reads the parse tree.
        if "search_path" in statement.lower():
            self.routes.search_paths.append(statement)
        if self.routes.statement is not None and any(word in statement.lower() for word in (*_CONNECTING, *_LOGGING)):
            in_transaction = not _is_autocommit(connection.connection.dbapi_connection)
            try:
                statement = self.routes.statement(statement, in_transaction)
            except PgPatternsError as error:
                raise PgPatternsError(f"{current_place()}: {error}") from error
        return statement, parameters

    def _is_ours(self, connection: Any) -> bool:
        try:
            return self._leads_to_us(getattr(connection, "driver_connection", connection))
        except Exception:  # the error for "it is closed" differs by driver
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
        if hasattr(driven, "pgpatterns_database"):  # pg8000: only redirected connections have it
            return True
        return hasattr(driven, "_addr") and self.routes.server.owns(_asyncpg_place(driven))


def _is_autocommit(connection: Any) -> bool:
    """Whether each statement is a transaction of its own, by the driver or SQLAlchemy's adapter."""
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
    """The requested URL, as far as the driver's arguments show it, without its password."""
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
        f"the project connects to {_described(dialect, arguments, keywords)}, which is not PostgreSQL. The connection "
        "was not opened. Way out: give the project a PostgreSQL URL for the check (any URL: it is redirected), in "
        "alembic.ini, by -x, or by the variable that env.py reads."
    )


def _foreign(connection: Any, source: str) -> str:
    return (
        f"{source} a connection ({type(connection).__module__}.{type(connection).__qualname__}) that does not lead to "
        "the throw-away server; nothing was run on it. Way out: open it inside env.py by an engine with a URL, or by "
        f"one of {', '.join(drivers.DRIVERS)}; or use --upgrade-command."
    )
