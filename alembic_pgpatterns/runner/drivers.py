"""Drivers for PostgreSQL that a project may have."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import sqlalchemy
from sqlalchemy.engine import URL

DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000")
"""In the order in which they are tried: SQLAlchemy's default first. psycopg may be there for our sake alone."""
ASYNC_DRIVERS = ("asyncpg", "psycopg")


def usable_driver(names: Sequence[str] = DRIVERS) -> str:
    """The first of some drivers that the project's environment has; the last of them if it has none."""
    return next(filter(is_usable, names), names[-1])


def is_usable(name: str) -> bool:
    """Whether the driver can be imported, and this SQLAlchemy has a dialect for it (1.4 has none for psycopg)."""
    try:
        importlib.import_module(name)
        URL.create(f"postgresql+{name}").get_dialect()
    except (ImportError, sqlalchemy.exc.NoSuchModuleError):
        return False
    return True
