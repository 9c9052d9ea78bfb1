"""A transaction for savepoints on a connection whose isolation level is AUTOCOMMIT.

Some env.py files set it, for ``CREATE INDEX CONCURRENTLY``. PostgreSQL refuses a savepoint outside of a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

_BEGUN = "pgpatterns_begun"


@contextmanager
def in_transaction(connection: Connection) -> Iterator[None]:
    """Begin a transaction if the driver does not, and roll it back. One inside of another does nothing."""
    # Private: `get_isolation_level()` asks the server, which does not know what the driver does.
    if not connection._is_autocommit_isolation() or connection.info.get(_BEGUN):
        yield
        return
    connection.info[_BEGUN] = True
    connection.exec_driver_sql("BEGIN")
    try:
        yield
    finally:
        connection.exec_driver_sql("ROLLBACK")
        del connection.info[_BEGUN]
