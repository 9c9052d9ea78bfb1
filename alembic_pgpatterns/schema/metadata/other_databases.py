"""Which other databases the models are made for, as their own options say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import MetaData

_OTHERS = frozenset({"mysql", "mariadb", "oracle", "mssql"})
"""Those with types of their own. SQLite, on which tests run, takes any type."""


def other_databases(metadata: MetaData) -> frozenset[str]:
    """The databases that options of tables, indexes and constraints name, such as ``mysql_engine``."""
    words = (str(key).partition("_")[0] for item in _items(metadata) for key in item.dialect_kwargs)
    return frozenset(words) & _OTHERS


def _items(metadata: MetaData) -> Iterator[Any]:
    for table in metadata.tables.values():
        yield from (table, *table.indexes, *table.constraints)
