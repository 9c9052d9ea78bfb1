"""The statements that the catalog reader needs around its queries, on any kind of connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
import sqlalchemy

from alembic_pgpatterns.schema.catalog.queries import for_version

Execute: TypeAlias = Callable[[str], list[Any]]
"""Runs one SQL text without parameters and returns its rows as tuples."""

Connection: TypeAlias = "psycopg.Connection[Any] | sqlalchemy.Connection | Execute"

_NOW = "SELECT current_setting('search_path') = 'pg_catalog' AND current_setting('jit') = 'off'"
_SET = """
SELECT current_schema()::text, current_setting('server_version_num')::int8 / 10000,
       set_config('pgpatterns.search_path', current_setting('search_path'), true),
       set_config('pgpatterns.jit', current_setting('jit'), true),
       set_config('search_path', 'pg_catalog', true), set_config('jit', 'off', true)
"""
_RESTORE = """
SELECT set_config('search_path', current_setting('pgpatterns.search_path'), true),
       set_config('jit', current_setting('pgpatterns.jit'), true)
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection whose catalog functions write names in the same form for everybody.

    ``current_schema``: of the caller's search_path; None if no schema in it exists.
    ``version``: the server's major version.
    """

    execute: Execute
    version: int
    current_schema: str | None

    def rows(self, query: str) -> list[Any]:
        """The rows of a catalog query, for this server's version."""
        return self.execute(for_version(query, self.version))


@contextmanager
def catalog_session(connection: Connection) -> Iterator[Session]:
    """Run with ``search_path = pg_catalog`` and ``jit = off``, and leave the connection as it was.

    With that search_path pg_get_expr, pg_get_indexdef and format_type qualify every name outside pg_catalog, so the
    result does not depend on the caller's search_path (docs, "System Catalog Information Functions"). The settings are
    local to a transaction: the caller's if one is open, otherwise one that is rolled back at the end.
    """
    with _adapted(connection) as execute:
        current_schema, version, *_ = execute(_SET)[0]
        autocommit = not execute(_NOW)[0][0]
        if autocommit:
            execute("BEGIN TRANSACTION READ ONLY")
            execute(_SET)
        try:
            yield Session(execute, version, current_schema)
        # KeyboardInterrupt too: the connection is the caller's, and goes on in use.
        except BaseException:
            if autocommit:
                execute("ROLLBACK")
            raise
        execute("ROLLBACK" if autocommit else _RESTORE)


def _adapted(connection: Connection) -> AbstractContextManager[Execute]:
    if isinstance(connection, psycopg.Connection):
        return _psycopg(connection)
    if isinstance(connection, sqlalchemy.Connection):
        return _sqlalchemy(connection)
    return _plain(connection)


@contextmanager
def _plain(execute: Execute) -> Iterator[Execute]:
    yield execute


@contextmanager
def _psycopg(connection: psycopg.Connection[Any]) -> Iterator[Execute]:
    idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def execute(query: str) -> list[Any]:
        with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            cursor.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    try:
        yield execute
    finally:
        if idle and not connection.closed:
            connection.rollback()


@contextmanager
def _sqlalchemy(connection: sqlalchemy.Connection) -> Iterator[Execute]:
    idle = not connection.in_transaction()

    def execute(query: str) -> list[Any]:
        result = connection.exec_driver_sql(query)
        # The driver's own rows: making SQLAlchemy's Row takes longer than the query, and no value needs conversion.
        return list(result.cursor.fetchall()) if result.returns_rows and result.cursor else []

    try:
        yield execute
    finally:
        if idle and not connection.closed:
            connection.rollback()
