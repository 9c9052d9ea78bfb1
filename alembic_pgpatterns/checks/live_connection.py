"""The configured database, read-only: its address, a guarded session, its state and how it is used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.conninfo import make_conninfo

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.bring_to_head import Database
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.catalog.live import Connection, read_live, reason
from alembic_pgpatterns.schema.catalog.queries.live import BLOCKERS
from alembic_pgpatterns.schema.catalog.session import catalog_session
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Name, Schema

CONNECT_SECONDS = 10
STATEMENT_TIMEOUT = "30s"
LOCK_TIMEOUT = "1s"
APPLICATION = "alembic pgcheck --live"
# To wait for a lock is to stand in the queue for it, and all that come later wait behind.
_TIMEOUTS = f"""
SET statement_timeout = '{STATEMENT_TIMEOUT}'; SET lock_timeout = '{LOCK_TIMEOUT}';
SET idle_in_transaction_session_timeout = '{STATEMENT_TIMEOUT}'
"""


@dataclass(frozen=True, slots=True)
class Live:
    """Facts of a live database. ``versions``: the revisions it is at; None if that could not be read."""

    server: LiveServer
    place: str
    versions: tuple[str, ...] | None
    version_reason: str = ""


def read(target: Mapping[str, str], version_tables: tuple[Name, ...]) -> Live:
    """Read a live database over one connection that can neither write nor wait for long.

    The session is read-only (``default_transaction_read_only``), and so is every transaction (READ ONLY). No statement
    takes longer than 30 s, and no lock is waited for longer than 1 s. Besides the catalogs and statistics only
    Alembic's own version table is read. Locks: ACCESS SHARE on catalogs, on the version table, and briefly on tables
    whose size is read.

    Args:
        target: libpq's parameters of the database.
        version_tables: Alembic's.

    Raises:
        PgPatternsError: it cannot be reached, or the connection broke.
    """
    place = shown(target)
    with guarded(target) as connection:
        try:
            server = read_live(connection)
            schema, unread = _schema(connection, version_tables)
            versions, reason_unknown = _versions(connection, version_tables, schema)
        except psycopg.Error as error:
            raise PgPatternsError(f"{place}: it could not be read: {str(error).strip()}") from error
    server = replace(server, schema=schema, unread={**server.unread, **unread})
    return Live(server, place, versions, reason_unknown)


@contextmanager
def guarded(target: Mapping[str, str]) -> Iterator[Connection]:
    """A connection that can neither write nor wait for long.

    Raises:
        PgPatternsError: it cannot be reached. The message has no password, and says what to do.
    """
    # With the first message: there is no statement before it.
    options = f"{target.get('options', '')} -c default_transaction_read_only=on".strip()
    parameters = {
        **target,
        "options": options,
        "application_name": APPLICATION,
        "connect_timeout": str(CONNECT_SECONDS),
        # By default it is the database's; in one of SQL_ASCII psycopg then gives bytes for text.
        "client_encoding": "utf8",
    }
    try:
        connection: Connection = psycopg.connect(make_conninfo("", **_supported(parameters)), autocommit=True)
    except psycopg.Error as error:
        raise PgPatternsError(_unreachable(target, str(error).strip())) from error
    with contextlib.closing(connection):
        # Set after connecting, so that pg_settings still shows what sessions start with.
        connection.execute(_TIMEOUTS)
        yield connection


def _supported(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that this libpq supports: another driver's own ones may be among them."""
    names = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    return {name: value for name, value in parameters.items() if name in names}


def _unreachable(target: Mapping[str, str], message: str) -> str:
    hint = "Is it running, and can this machine reach it? Name another one: --live URL."
    if "too many clients" in message or "remaining connection slots" in message or "too many connections" in message:
        hint = (
            "All its connections are in use (max_connections, or the limit of a role or database), so nothing was "
            "checked. Run this again when some are free, or with a role that has pg_use_reserved_connections (16)."
        )
    elif "unsupported startup parameter" in message:
        hint = "A connection pooler is in between and hides the server's settings: name the server itself, --live URL."
    elif "fe_sendauth" in message or "password" in message:
        hint = "The password comes from the URL, PGPASSWORD or ~/.pgpass. Name another URL: --live URL."
    return f"{shown(target)}: the live database could not be reached: {message}\n{hint}"


def _schema(connection: Connection, version_tables: tuple[Name, ...]) -> tuple[Schema | None, dict[str, str]]:
    """The schema with statistics; without them, or no schema, if another session holds a lock that reading needs."""
    try:
        return catalog.read(connection, statistics=True, version_tables=version_tables), {}
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        locked = f"{reason(error)}: {_blockers(connection)}"
    try:
        return catalog.read(connection, version_tables=version_tables), {"statistics": locked}
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
        return None, {"statistics": locked, "schema": locked}


def _blockers(connection: Connection) -> str:
    with catalog_session(connection) as session:
        rows = session.rows(BLOCKERS)
    locks = ", ".join(f"{table} ({mode})" for table, mode in rows)
    return f"another session holds or waits for {locks}" if locks else "the lock is free again; run this again"


def _versions(
    connection: Connection, tables: tuple[Name, ...], schema: Schema | None
) -> tuple[tuple[str, ...] | None, str]:
    versions: list[str] = []
    default = schema.default_schema if schema is not None else "public"
    for table in tables:
        name = sql.Identifier(table.schema or default, table.name)
        query = sql.SQL("SELECT v.version_num::text FROM {} v").format(name).as_string(connection)
        try:
            with catalog_session(connection) as session:
                versions += [row[0] for row in session.execute(query)]
        except psycopg.Error as error:
            if connection.broken:
                raise
            return None, reason(error)
    return tuple(sorted(versions)), ""


def address(database: Database, settings: Settings) -> Mapping[str, str]:
    """The real database that a scratch database represents.

    Raises:
        PgPatternsError: no connection to it was seen.
    """
    if database.real_parameters is not None:
        return database.real_parameters
    for name, template in settings.env.items():
        if "{url}" in template and os.environ.get(name):
            return parameters(os.environ[name], f"the variable {name}")
    raise PgPatternsError(
        "The address of the live database is not known: env.py opened no connection that leads to one"
        f"{' (an upgrade command ran)' if settings.upgrade_command else ''}. Name it: --live URL."
    )


def parameters(url: str, source: str = "--live") -> dict[str, str]:
    """libpq's parameters from a URL with any driver.

    Raises:
        PgPatternsError: it is not a URL, or not one of PostgreSQL.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise PgPatternsError(f"{source} is not a database URL such as postgresql://user@host:5432/shop.") from error
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise PgPatternsError(f"{source}: {parsed.render_as_string(hide_password=True)} is not PostgreSQL.")
    named = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
    }
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in parsed.query.items()}
    # asyncpg's name of it.
    if "ssl" in query:
        query.setdefault("sslmode", query.pop("ssl"))
    return {**query, **{name: str(value) for name, value in named.items() if value is not None}}


def shown(target: Mapping[str, str]) -> str:
    """The database for messages: ``host:port/database``."""
    host = target.get("host") or target.get("hostaddr") or "localhost"
    return f"{host}:{target.get('port') or '5432'}/{target.get('dbname') or target.get('user') or ''}"
