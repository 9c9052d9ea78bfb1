"""The configured database, seen read-only: its address, a guarded session, what it is and how it is used."""

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
_TIMEOUTS = f"""
SET statement_timeout = '{STATEMENT_TIMEOUT}'; SET lock_timeout = '{LOCK_TIMEOUT}';
SET idle_in_transaction_session_timeout = '{STATEMENT_TIMEOUT}'
"""


@dataclass(frozen=True, slots=True)
class Live:
    """What was read of a live database. ``versions``: where its revisions are; None where that could not be read."""

    server: LiveServer
    place: str
    versions: tuple[str, ...] | None
    version_reason: str = ""


def read(meant: Mapping[str, str], version_tables: tuple[Name, ...]) -> Live:
    """Read a live database over one connection that can neither write nor wait.

    The session is read-only (``default_transaction_read_only``), every transaction says READ ONLY besides, no
    statement takes longer than 30 s, and no lock is waited for longer than 1 s. Besides the catalogs and the
    statistics only Alembic's own version table is read. Locks: ACCESS SHARE on catalogs and on the version table, and
    for the time of the reading on tables whose size is asked for.

    Args:
        meant: libpq's parameters.
        version_tables: Alembic's.

    Raises:
        PgPatternsError: it cannot be reached, or the connection broke.
    """
    place = shown(meant)
    with guarded(meant) as connection:
        try:
            server = read_live(connection)
            schema, unread = _schema(connection, version_tables)
            versions, why = _versions(connection, version_tables, schema)
        except psycopg.Error as error:
            raise PgPatternsError(f"{place}: it could not be read: {str(error).strip()}") from error
    server = replace(server, schema=schema, unread={**server.unread, **unread})
    return Live(server, place, versions, why)


@contextmanager
def guarded(meant: Mapping[str, str]) -> Iterator[Connection]:
    """A connection that can neither write nor wait long.

    Raises:
        PgPatternsError: it cannot be reached; the message has no password, and says what to do.
    """
    options = f"{meant.get('options', '')} -c default_transaction_read_only=on".strip()
    given = {**meant, "options": options, "application_name": APPLICATION, "connect_timeout": str(CONNECT_SECONDS)}
    try:
        connection: Connection = psycopg.connect(make_conninfo("", **_known(given)), autocommit=True)
    except psycopg.Error as error:
        raise PgPatternsError(_unreachable(meant, str(error).strip())) from error
    with contextlib.closing(connection):
        # After the connection and not with it: what sessions begin with can then still be read in pg_settings.
        connection.execute(_TIMEOUTS)
        yield connection


def _known(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Only what this libpq knows: another driver's own parameters may be among them."""
    names = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    return {name: value for name, value in parameters.items() if name in names}


def _unreachable(meant: Mapping[str, str], said: str) -> str:
    hint = "Is it up, and reachable from here? Name another one: --live URL."
    if "too many clients" in said or "remaining connection slots" in said or "too many connections" in said:
        hint = (
            "Every connection it has is in use (max_connections, or the limit of a role or database), so nothing "
            "was looked at. Run this again when some are free, or by a role with pg_use_reserved_connections (16)."
        )
    elif "unsupported startup parameter" in said:
        hint = "A pooler is in between, which would hide the server's settings: name the server itself, --live URL."
    elif "fe_sendauth" in said or "password" in said:
        hint = "A password is in the URL, in PGPASSWORD, or in ~/.pgpass. Name another URL: --live URL."
    return f"{shown(meant)}: the live database could not be reached: {said}\n{hint}"


def _schema(connection: Connection, version_tables: tuple[Name, ...]) -> tuple[Schema | None, dict[str, str]]:
    """The schema with statistics; without them, or none at all, where somebody holds a lock that reading waits for."""
    try:
        return catalog.read(connection, statistics=True, version_tables=version_tables), {}
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        why = f"{reason(error)}: {_blockers(connection)}"
    try:
        return catalog.read(connection, version_tables=version_tables), {"statistics": why}
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
        return None, {"statistics": why, "schema": why}


def _blockers(connection: Connection) -> str:
    with catalog_session(connection) as session:
        rows = session.rows(BLOCKERS)
    held = ", ".join(f"{table} ({mode})" for table, mode in rows)
    return f"somebody holds or waits for {held}" if held else "the lock is free again; run this once more"


def _versions(
    connection: Connection, tables: tuple[Name, ...], schema: Schema | None
) -> tuple[tuple[str, ...] | None, str]:
    found: list[str] = []
    default = schema.default_schema if schema is not None else "public"
    for table in tables:
        name = sql.Identifier(table.schema or default, table.name)
        query = sql.SQL("SELECT v.version_num::text FROM {} v").format(name).as_string(connection)
        try:
            with catalog_session(connection) as session:
                found += [row[0] for row in session.execute(query)]
        except psycopg.Error as error:
            if connection.broken:
                raise
            return None, reason(error)
    return tuple(sorted(found)), ""


def address(database: Database, settings: Settings) -> Mapping[str, str]:
    """The real database that a scratch one stands for.

    Raises:
        PgPatternsError: nothing was seen to connect to it.
    """
    if database.meant is not None:
        return database.meant
    for name, template in settings.env.items():
        if "{url}" in template and os.environ.get(name):
            return parameters(os.environ[name], f"the variable {name}")
    raise PgPatternsError(
        "The address of the live database is not known: no connection of env.py was seen that leads to one"
        f"{' (an upgrade command ran)' if settings.upgrade_command else ''}. Name it: --live URL."
    )


def parameters(url: str, what: str = "--live") -> dict[str, str]:
    """libpq's parameters of a URL, whatever driver it names.

    Raises:
        PgPatternsError: it is none, or not of PostgreSQL.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise PgPatternsError(
            f"{what} is no URL of a database; one looks like postgresql://user@host:5432/shop."
        ) from error
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise PgPatternsError(f"{what}: {parsed.render_as_string(hide_password=True)} is not PostgreSQL.")
    named = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
    }
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in parsed.query.items()}
    if "ssl" in query:
        query.setdefault("sslmode", query.pop("ssl"))
    return {**query, **{name: str(value) for name, value in named.items() if value is not None}}


def shown(meant: Mapping[str, str]) -> str:
    """The place for people: ``host:port/database``."""
    host = meant.get("host") or meant.get("hostaddr") or "localhost"
    return f"{host}:{meant.get('port') or '5432'}/{meant.get('dbname') or meant.get('user') or ''}"
