"""A server in use, read from its system views. It only reads, with the rights that the role has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import sql as composed

from alembic_pgpatterns.schema.catalog.queries import live as sql
from alembic_pgpatterns.schema.catalog.session import catalog_session
from alembic_pgpatterns.schema.live import (
    Age,
    HbaRule,
    LiveServer,
    Recording,
    Role,
    RoleSetting,
    ServerSetting,
    Sessions,
    StatementUsage,
)
from alembic_pgpatterns.schema.names import Name

Part = TypeVar("Part")
Connection = psycopg.Connection[tuple[Any, ...]]

STATEMENTS = """
SELECT s.query, sum(s.calls)::int8, sum(s.total_exec_time) / greatest(sum(s.calls), 1)::float8,
       sum(s.total_exec_time)::float8, sum(s.rows)::int8
FROM {view} s
WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
GROUP BY s.query
ORDER BY 4 DESC
LIMIT 500
"""
"""The 500 that took the most time; the same text run by several roles counts once."""

MONITOR = "the role {role} is not a member of pg_monitor"


def read_live(connection: Connection) -> LiveServer:
    """Everything about the server except its schema.

    Args:
        connection: in autocommit mode, with timeouts set. Each part is read in its own read-only transaction.

    Raises:
        psycopg.Error: the connection broke, or something that everybody may read could not be read.
    """
    return _Reader(connection).read()


class _Reader:
    """Reads one part after another. If one fails, only that part is missing."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.unread: dict[str, str] = {}
        self.partial: dict[str, str] = {}

    def read(self) -> LiveServer:
        version, database, role, since, now, recovery, limit, monitor = self._rows(sql.SERVER)[0]
        recording, statements = self._statements(role)
        if not monitor:
            self.partial["sessions"] = MONITOR.format(role=role) + ", so what other roles do is hidden"
        return LiveServer(
            version=version,
            database=database,
            role=role,
            since=since,
            now=now,
            recovery=recovery,
            database_limit=limit,
            settings={row[0]: ServerSetting(*row) for row in self._rows(sql.SETTINGS)},
            role_settings=tuple(RoleSetting(*row) for row in self._rows(sql.ROLE_SETTINGS)),
            roles=tuple(Role(*row) for row in self._rows(sql.ROLES)),
            sessions=Sessions(*self._rows(sql.SESSIONS)[0]),
            recording=recording,
            statements=statements,
            ages=tuple(Age(*row) for row in self._rows(sql.AGES)),
            table_ages=tuple(_table_age(*row) for row in self._rows(sql.TABLE_AGES)),
            hba=self._part("hba", self._hba),
            replicas=self._part("replicas", lambda: tuple(row[0] for row in self._rows(sql.REPLICAS))),
            slots=tuple(row[0] for row in self._rows(sql.SLOTS)),
            unread=self.unread,
            partial=self.partial,
        )

    def _rows(self, query: str) -> list[Any]:
        with catalog_session(self.connection) as session:
            return session.rows(query)

    def _part(self, name: str, read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except psycopg.errors.ObjectNotInPrerequisiteState:
            raise
        except psycopg.Error as error:
            if self.connection.broken:
                raise
            self.unread[name] = reason(error)
            return None

    def _hba(self) -> tuple[HbaRule, ...]:
        return tuple(
            HbaRule(line, kind, tuple(databases or ()), tuple(users or ()), address, netmask, method)
            for line, kind, databases, users, address, netmask, method in self._rows(sql.HBA)
        )

    def _statements(self, role: str) -> tuple[Recording, tuple[StatementUsage, ...] | None]:
        installed, schema = self._rows(sql.RECORDING)[0]
        libraries = [row[1] for row in self._rows(sql.SETTINGS) if row[0] == "shared_preload_libraries"]
        loaded = "pg_stat_statements" in libraries[0] if libraries else None
        if not installed:
            self.unread["statements"] = "pg_stat_statements is not installed in this database"
            return Recording(False, loaded), None
        view = composed.Identifier(schema, "pg_stat_statements")
        query = composed.SQL(STATEMENTS).format(view=view).as_string(self.connection)
        try:
            rows = self._part("statements", lambda: self._rows(query))
        except psycopg.errors.ObjectNotInPrerequisiteState:
            self.unread["statements"] = "the library of pg_stat_statements is not loaded"
            return Recording(True, False), None
        if rows is None:
            return Recording(True, loaded), None
        if any(row[0] in (None, sql.HIDDEN) for row in rows):
            self.partial["statements"] = MONITOR.format(role=role) + ", so other roles' statements are hidden"
        return Recording(True, True), tuple(StatementUsage(*row) for row in rows if row[0] not in (None, sql.HIDDEN))


def _table_age(schema: str, name: str, transactions: int, multixacts: int) -> Age:
    table = Name(schema, name)
    return Age(str(table), transactions, multixacts, table)


def reason(error: psycopg.Error) -> str:
    """The server's message on one line."""
    return " ".join(str(error.diag.message_primary or error).split())
