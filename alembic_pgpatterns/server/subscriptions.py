"""Databases are dropped with their subscriptions, which would keep PostgreSQL from dropping them."""

from __future__ import annotations

from typing import Any, Protocol

import psycopg
from psycopg import sql


class _Connects(Protocol):
    def connect(self, database: str = ..., /) -> psycopg.Connection[Any]: ...


def drop_database(server: _Connects, name: str) -> None:
    """Drop a database and end its connections; no error if it does not exist.

    Args:
        server: a scratch server; its `connect` without a name leads to another database.
        name: of the database.
    """
    command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    try:
        with server.connect() as connection:
            connection.execute(command)
    except psycopg.errors.ObjectInUse:
        with server.connect(name) as inside:
            _drop_subscriptions(inside)
        with server.connect() as connection:
            connection.execute(command)


def _drop_subscriptions(connection: psycopg.Connection[Any]) -> None:
    """Drop all subscriptions of the current database, without connecting to where they lead.

    A project may make them where no statement shows it, such as in a procedure. They lose their slots first, since the
    server of a check connects to no other one (PostgreSQL docs, DROP SUBSCRIPTION).
    """
    rows = connection.execute(
        "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()"
    ).fetchall()
    for (name,) in rows:
        # With a slot, DROP SUBSCRIPTION connects to the publisher to drop it there; and a slot can be given up only
        # while the subscription is disabled (docs, DROP SUBSCRIPTION, "Notes").
        for command in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
            connection.execute(sql.SQL(command).format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(name)))
