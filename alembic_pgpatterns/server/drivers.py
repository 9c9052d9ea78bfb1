"""The four drivers whose connections can be redirected: their arguments, read and replaced.

Below SQLAlchemy, each driver has one function through which every connection goes, however it was requested
(`psycopg.connect`, `Connection.connect`, a pool, a name imported earlier). That function is replaced, so engines with a
``creator`` and programs that call the driver directly are redirected too.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.real_database import completed

Reroute = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Turns the libpq parameters of a requested connection into the ones to use."""

LIBPQ_DRIVERS = ("psycopg", "psycopg2")
DRIVERS = (*LIBPQ_DRIVERS, "asyncpg", "pg8000")

_OF_SESSION = ("options", "application_name", "fallback_application_name", "client_encoding", "connect_timeout")
"""The libpq parameters that belong to the session, and not to the way to the server."""

_PYTHON_SIDE = {
    "psycopg": ("autocommit", "prepare_threshold", "context", "row_factory", "cursor_factory", "async_creator_fn"),
    "psycopg2": ("connection_factory", "cursor_factory", "async", "async_"),
}
_ASYNCPG_ROUTE = (
    "dsn",
    "host",
    "port",
    "user",
    "password",
    "passfile",
    "service",
    "servicefile",
    "database",
    "ssl",
    "direct_tls",
    "target_session_attrs",
    "krbsrvname",
    "gsslib",
)
_PG8000_ROUTE = ("user", "host", "database", "port", "password", "unix_sock", "ssl_context", "sock", "source_address")
_ASYNCPG_NAMES = {"host": "host", "port": "port", "user": "user", "password": "password", "database": "dbname"}
_OF_SQLITE = (
    "check_same_thread",
    "isolation_level",
    "detect_types",
    "cached_statements",
    "factory",
    "uri",
    "autocommit",
)
"""Arguments of sqlite3.connect() that others do not have: an engine may have them whose URL has been replaced."""
_straight: ContextVar[bool] = ContextVar("pgpatterns_straight", default=False)


@contextlib.contextmanager
def straight() -> Iterator[None]:
    """Do not redirect connections opened inside: for this package's connections to a server of the user's."""
    token = _straight.set(True)
    try:
        yield
    finally:
        _straight.reset(token)


def libpq_arguments(driver: str, arguments: list[Any], keywords: Mapping[str, Any], reroute: Reroute) -> dict[str, Any]:
    """The keywords for ``connect`` of psycopg or psycopg2, instead of the requested ones."""
    for_driver = {name: value for name, value in keywords.items() if name in _PYTHON_SIDE[driver]}
    for_libpq = {name: value for name, value in keywords.items() if name not in for_driver}
    conninfo = arguments[0] if arguments else for_libpq.pop("conninfo" if driver == "psycopg" else "dsn", None)
    return for_driver | libpq_parameters(conninfo or "", for_libpq, reroute)


def libpq_parameters(conninfo: str, keywords: Mapping[str, Any], reroute: Reroute) -> dict[str, str]:
    """The libpq parameters to use instead of a connection string and its keywords."""
    keywords = {("dbname" if name == "database" else name): value for name, value in keywords.items()}
    explicit = {name: value for name, value in keywords.items() if value is not None}
    requested = completed(_parsed(conninfo) | explicit)
    of_session = {name: requested[name] for name in _OF_SESSION if requested.get(name)}
    return of_session | dict(reroute(requested))


def _parsed(conninfo: str) -> dict[str, Any]:
    """The parameters of a libpq connection string or URL, parsed by libpq itself through any installed driver."""
    if not conninfo:
        return {}
    if _import("psycopg"):
        return dict(importlib.import_module("psycopg.conninfo").conninfo_to_dict(conninfo))
    return dict(importlib.import_module("psycopg2.extensions").parse_dsn(conninfo))


def asyncpg_arguments(keywords: Mapping[str, Any], reroute: Reroute) -> dict[str, Any]:
    """The keywords for ``asyncpg.connect``, instead of the requested ones. Options such as cache sizes stay."""
    requested, settings = _asyncpg_requested(keywords)
    route = reroute(completed(requested))
    result = {name: value for name, value in keywords.items() if name not in (*_ASYNCPG_ROUTE, *_OF_SQLITE)}
    settings |= keywords.get("server_settings") or {}
    if settings:
        result["server_settings"] = settings
    result |= {name: route[name] for name in ("host", "user", "password") if name in route}
    result |= {"port": int(route["port"]), "database": route["dbname"], "ssl": _asyncpg_tls(route)}
    # Explicit, because otherwise asyncpg reads PGTARGETSESSIONATTRS and PGSSLNEGOTIATION of the real server.
    explicit = {"direct_tls": False, "target_session_attrs": "any"}
    accepted = inspect.signature(importlib.import_module("asyncpg").connect).parameters
    return result | {name: value for name, value in explicit.items() if name in accepted}


def _asyncpg_requested(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The requested connection, with libpq's names; and the server settings in its DSN."""
    requested: dict[str, Any] = {}
    settings: dict[str, str] = {}
    if keywords.get("dsn"):
        parsed = urllib.parse.urlsplit(str(keywords["dsn"]))
        query = dict(urllib.parse.parse_qsl(parsed.query))
        of_route = set(_ASYNCPG_ROUTE) | {"dbname"} | {name for name in query if name.startswith(("ssl", "gss"))}
        settings = {name: value for name, value in query.items() if name not in of_route}
        hostport = urllib.parse.unquote(parsed.netloc.rpartition("@")[2])
        hosts = [_split_port(part) for part in hostport.split(",")] if hostport else []
        requested["host"] = ",".join(host for host, _ in hosts) or query.get("host")
        requested["port"] = ",".join(port for _, port in hosts if port) or query.get("port")
        requested["user"] = urllib.parse.unquote(parsed.username or "") or query.get("user")
        path = urllib.parse.unquote(parsed.path.removeprefix("/"))
        requested["dbname"] = path or query.get("dbname") or query.get("database")
        requested["password"] = urllib.parse.unquote(parsed.password or "") or query.get("password")
        requested["service"] = query.get("service")
    for name, parameter in _ASYNCPG_NAMES.items():
        value = keywords.get(name)
        if value:
            requested[parameter] = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
    if isinstance(keywords.get("ssl"), str):
        requested["sslmode"] = keywords["ssl"]
    return requested, settings


def _split_port(part: str) -> tuple[str, str]:
    host, colon, port = part.rpartition(":")
    return (host.strip("[]"), port) if colon and not part.endswith("]") else (part.strip("[]"), "")


def _asyncpg_tls(route: Mapping[str, str]) -> Any:
    """The TLS argument: asyncpg takes certificates only as a context, never as file names."""
    mode = route.get("sslmode", "disable")
    if mode not in ("verify-ca", "verify-full") or not route.get("sslrootcert"):
        return False if mode == "disable" else mode
    import ssl

    context = ssl.create_default_context(cafile=route["sslrootcert"])
    context.check_hostname = mode == "verify-full"
    return context


@contextlib.contextmanager
def patched_drivers(reroute: Reroute) -> Iterator[None]:
    """Send every connection that a driver opens inside through ``reroute``. Afterwards the drivers are restored."""
    with contextlib.ExitStack() as stack:
        if _import("psycopg"):
            _patch_psycopg(stack, reroute)
        if _import("psycopg2"):
            _patch_psycopg2(stack, reroute)
        if _import("asyncpg"):
            _patch_asyncpg(stack, reroute)
        if _import("pg8000"):
            _patch_pg8000(stack, reroute)
        yield


def load_drivers() -> None:
    """Import the drivers that `patched_drivers` will need. What one of them raises is raised again there."""
    for name in DRIVERS:
        with contextlib.suppress(Exception):
            _import(name)


def _import(name: str) -> bool:
    """Import a driver if it is installed and works. A driver that does not work cannot open connections either."""
    if importlib.util.find_spec(name) is None:
        return False
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, value: Any) -> None:
    """Set an attribute until the stack ends. Raises PgPatternsError if this version has no such attribute."""
    try:
        # Static: getattr() would return a bound method in place of the classmethod, which could not be put back.
        before = inspect.getattr_static(owner, name)
    except AttributeError:
        raise PgPatternsError(
            f"connections of this version of {owner.__name__} cannot be redirected to the throw-away server: it has "
            f"no {name}. Please report this with the driver's version, and use another version of it until then."
        ) from None
    inherited = isinstance(owner, type) and name not in vars(owner)
    setattr(owner, name, value)
    stack.callback(*((delattr, owner, name) if inherited else (setattr, owner, name, before)))


def _patch_psycopg(stack: contextlib.ExitStack, reroute: Reroute) -> None:
    psycopg: Any = importlib.import_module("psycopg")
    # Private, but every connection passes it. Replacing `psycopg.connect` would miss an application that has imported
    # the function by its name before.
    original = vars(psycopg.Connection)["_get_connection_params"].__func__

    def connection_parameters(cls: type, /, conninfo: str, **keywords: Any) -> Any:
        if _straight.get():
            return original(cls, conninfo, **keywords)
        return libpq_parameters(conninfo, keywords, reroute)

    async def connection_parameters_async(cls: type, /, conninfo: str, **keywords: Any) -> Any:
        return connection_parameters(cls, conninfo, **keywords)

    _replace(stack, psycopg.Connection, "_get_connection_params", classmethod(connection_parameters))
    _replace(stack, psycopg.AsyncConnection, "_get_connection_params", classmethod(connection_parameters_async))


def _patch_psycopg2(stack: contextlib.ExitStack, reroute: Reroute) -> None:
    psycopg2: Any = importlib.import_module("psycopg2")
    # psycopg2.connect() looks up this function of its C module at each call.
    original = psycopg2._connect

    def connect(dsn: str, connection_factory: Any = None, **keywords: Any) -> Any:
        if not _straight.get():
            dsn = psycopg2.extensions.make_dsn(**libpq_parameters(dsn, {}, reroute))
        return original(dsn, connection_factory=connection_factory, **keywords)

    _replace(stack, psycopg2, "_connect", connect)


def _patch_asyncpg(stack: contextlib.ExitStack, reroute: Reroute) -> None:
    connect_utils: Any = importlib.import_module("asyncpg.connect_utils")
    original = connect_utils._connect

    async def connect(**keywords: Any) -> Any:
        if not _straight.get():
            way = asyncpg_arguments(keywords, reroute)
            keywords |= {name: None for name in _ASYNCPG_ROUTE if name in keywords} | way
        return await original(**keywords)

    _replace(stack, connect_utils, "_connect", connect)


def _patch_pg8000(stack: contextlib.ExitStack, reroute: Reroute) -> None:
    core: Any = importlib.import_module("pg8000.core")
    # Both interfaces of pg8000, the DB-API's and `pg8000.native`, make a CoreConnection.
    original = core.CoreConnection.__init__
    signature = inspect.signature(original)

    def connect(self: Any, *arguments: Any, **keywords: Any) -> None:
        if not _straight.get():
            requested = dict(signature.bind(self, *arguments, **keywords).arguments)
            requested.pop("self")
            arguments, keywords = (), pg8000_arguments(requested, reroute)
            # pg8000 does not store where it is connected to, and asking the server would need a query.
            self.pgpatterns_database = keywords["database"]
        original(self, *arguments, **keywords)

    _replace(stack, core.CoreConnection, "__init__", connect)


def pg8000_arguments(keywords: Mapping[str, Any], reroute: Reroute) -> dict[str, Any]:
    """The keywords for a connection of pg8000, instead of the requested ones. pg8000 reads no libpq variable."""
    user = _decoded(keywords.get("user"))
    socket_folder = _decoded(keywords.get("unix_sock") or "").rpartition("/.s.PGSQL.")
    requested = {
        "host": socket_folder[0] or _decoded(keywords.get("host") or "localhost"),
        "port": socket_folder[2] if socket_folder[0] else str(keywords.get("port") or 5432),
        "dbname": _decoded(keywords.get("database") or user),
        "user": user,
        "password": _decoded(keywords.get("password") or ""),
    }
    route = reroute(requested)
    result = {name: value for name, value in keywords.items() if name not in (*_PG8000_ROUTE, *_OF_SQLITE)}
    result |= {"user": route["user"], "password": route.get("password"), "database": route["dbname"]}
    if route["host"].startswith("/"):
        return result | {"unix_sock": f"{route['host']}/.s.PGSQL.{route['port']}"}
    tls = _asyncpg_tls(route)
    # "prefer" and "allow" mean no TLS here, since test containers usually have none.
    context = _unverified() if tls == "require" else None if isinstance(tls, str | bool) else tls
    return result | {"host": route["host"], "port": int(route["port"]), "ssl_context": context}


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)


def _unverified() -> Any:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
