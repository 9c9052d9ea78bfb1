"""The order in which tables are filled: referenced ones first. Foreign keys that close a circle are set afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alembic_pgpatterns.schema.model import ForeignKey, Name, Schema, Table


@dataclass(frozen=True, slots=True)
class Order:
    """``tables`` in order; ``late``: foreign keys to a table that comes later, or to the same table."""

    tables: tuple[Table, ...]
    late: frozenset[str]


def order_of(schema: Schema) -> Order:
    """The order of all tables that store rows themselves."""
    tables = {table.name: table for table in schema.tables if table.partition_of is None}
    done: dict[Name, Table] = {}
    late: set[str] = set()
    waiting = dict(tables)
    while waiting:
        ready = [t for t in waiting.values() if all(_met(key, done, waiting) for key in _hard(t))]
        for table in ready or [_least_bound(waiting.values(), done, waiting)]:
            late |= {key_id(key) for key in table.foreign_keys if key.referred_table in waiting}
            done[table.name] = waiting.pop(table.name)
    return Order(tuple(done.values()), frozenset(late))


def key_id(key: ForeignKey) -> str:
    """An identifier of a foreign key."""
    return f"{key.table} {key.name}"


def _hard(table: Table) -> Iterable[ForeignKey]:
    return (key for key in table.foreign_keys if key.referred_table != table.name)


def _met(key: ForeignKey, done: dict[Name, Table], waiting: dict[Name, Table]) -> bool:
    return key.referred_table in done or key.referred_table not in waiting


def _least_bound(tables: Iterable[Table], done: dict[Name, Table], waiting: dict[Name, Table]) -> Table:
    """In a circle: the table with the fewest NOT NULL references to tables that are not filled yet."""

    def bound(table: Table) -> tuple[int, int]:
        open_keys = [key for key in _hard(table) if not _met(key, done, waiting)]
        return sum(not nullable(table, key) for key in open_keys), len(open_keys)

    return min(tables, key=bound)


def nullable(table: Table, key: ForeignKey) -> bool:
    """Whether a row need not refer to a row by this key."""
    columns = [table.column(name) for name in key.columns]
    free = [column is not None and column.nullable and not column.type.domain_not_null for column in columns]
    return all(free) if key.match_full else any(free)
