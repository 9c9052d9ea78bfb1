"""Computed columns as production has them, where the throw-away server is a newer one."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import SAWarning


@cache
def computed_is_stored() -> None:
    """For the rest of this process, ``Computed()`` without ``persisted`` makes stored columns, whatever the server can.

    SQLAlchemy 2.1 writes what the server's version takes for the default: on PostgreSQL 18 a virtual column, before it
    a stored one, which rewrites the table. What runs here must be what runs in production.
    """
    stock: Any = PGDialect.initialize

    def initialize(self: Any, connection: Any) -> None:
        stock(self, connection)
        self.supports_virtual_generated_columns = False

    # SQLAlchemy warns of it each time, here where nobody can change the server.
    warnings.filterwarnings("ignore", "Computed column .* is being created as 'STORED'", SAWarning)
    setattr(PGDialect, "initialize", initialize)  # noqa: B010  # as mypy knows no method that is replaced
