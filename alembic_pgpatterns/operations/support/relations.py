"""Queries of the catalog about tables and indexes, on the connection of the running migration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Column, MetaData, Row, Table, inspect
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.support.session import connection, emit, fetch, fetch_value
from alembic_pgpatterns.operations.support.template import Name, always_quoted

if TYPE_CHECKING:
    from alembic.operations import Operations

LONGEST_NAME = 63
"""Number of bytes that PostgreSQL keeps of an identifier."""


class TableOrIndex(NamedTuple):
    """A table or index. *kind* is pg_class.relkind. The schema is None only offline, where it is not known."""

    schema: str | None
    name: str
    kind: str

    @property
    def quoted(self) -> str:
        """As a bound parameter that is cast to regclass."""
        return always_quoted(self.schema, self.name)

    @property
    def sql(self) -> Name:
        """As a part of a statement."""
        return Name(self.schema, self.name)

    @property
    def partitioned(self) -> bool:
        """Whether it is a partitioned table or index."""
        return self.kind in ("p", "I")

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


# to_regclass() is NULL for a name that does not exist, where a cast to regclass is an error that ends the transaction.
_RELATION = """
    SELECT n.nspname, c.relname, c.relkind::text AS kind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass(:name)
"""


def relation(operations: Operations, name: str, schema: str | None) -> TableOrIndex | None:
    """The table or index of that name, found along the search path if no schema is given."""
    rows = fetch(operations, _RELATION, name=always_quoted(schema, name))
    return TableOrIndex(rows[0].nspname, rows[0].relname, rows[0].kind) if rows else None


def table(operations: Operations, name: str, schema: str | None) -> TableOrIndex:
    """The table of that name.

    Raises:
        PgPatternsError: it does not exist.
    """
    existing = relation(operations, name, schema)
    if existing is None or existing.kind not in ("r", "p", "m", "f"):
        raise errors.PgPatternsError(f"there is no table {schema + '.' if schema else ''}{name} in this database")
    return existing


_PARTITIONS = """
    SELECT n.nspname, c.relname, c.relkind::text AS kind
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = CAST(:table AS regclass) ORDER BY 1, 2
"""


def partitions(operations: Operations, parent: TableOrIndex) -> list[TableOrIndex]:
    """The direct partitions of a partitioned table or index."""
    rows = fetch(operations, _PARTITIONS, table=parent.quoted)
    return [TableOrIndex(row.nspname, row.relname, row.kind) for row in rows]


_CONSTRAINT = """
    SELECT k.contype::text AS contype, k.convalidated, pg_catalog.pg_get_constraintdef(k.oid) AS definition,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS o (attnum, n)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.attnum ORDER BY n) AS own,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS o (attnum, n)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.attnum ORDER BY n)
           AS referred,
           k.confrelid = to_regclass(nullif(:referent, '')) AS same_referent,
           k.confdeltype::text AS ondelete, k.confupdtype::text AS onupdate
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = CAST(:table AS regclass) AND k.conname = :name
"""


def constraint(
    operations: Operations, on: TableOrIndex, name: str, *, referent: tuple[str | None, str] | None = None
) -> Row[Any] | None:
    """The constraint of that name; with *referent* (schema, table) also whether it refers to that table."""
    target = always_quoted(*referent) if referent else ""
    rows = fetch(operations, _CONSTRAINT, table=on.quoted, name=name, referent=target)
    return rows[0] if rows else None


def reflected(operations: Operations, at: TableOrIndex, columns: Iterable[str]) -> Table:
    """The table with the types of its columns, for statements with bound values.

    Raises:
        PgPatternsError: it lacks one of these *columns*.
    """
    # columns only: indexes and constraints are not needed, and reflecting them takes longer
    existing = inspect(connection(operations)).get_columns(at.name, at.schema)
    result = Table(at.name, MetaData(), *(Column(each["name"], each["type"]) for each in existing), schema=at.schema)
    missing = [name for name in columns if name not in result.c]
    if missing:
        raise errors.PgPatternsError(f"{at} has no column {', '.join(missing)}; it has {', '.join(result.c.keys())}")
    return result


@contextmanager
def scratch_table(operations: Operations, at: TableOrIndex) -> Iterator[TableOrIndex | None]:
    """An empty temporary table with the columns of *at*; None if this role may not create temporary tables.

    Used to ask PostgreSQL for its own form of a definition. Takes ACCESS SHARE on *at*.
    """
    if not fetch_value(operations, "SELECT has_database_privilege(current_database(), 'TEMP')"):
        yield None
        return
    scratch = TableOrIndex("pg_temp", at.name, "r")
    emit(operations, "CREATE TEMP TABLE {scratch} (LIKE {table})", scratch=scratch.sql, table=at.sql)
    try:
        yield scratch
    except BaseException:
        # in a failed transaction it cannot be dropped, but disappears with the transaction
        with suppress(SQLAlchemyError):
            emit(operations, "DROP TABLE {scratch}", scratch=scratch.sql)
        raise
    emit(operations, "DROP TABLE {scratch}", scratch=scratch.sql)


def derived_name(*parts: str) -> str:
    """The parts joined by underscores. If that is too long for PostgreSQL, it is cut and ends with a hash."""
    name = "_".join(parts)
    if len(name.encode()) <= LONGEST_NAME:
        return name
    # imported here: it loads OpenSSL, which takes longer than all the rest of the registration
    import hashlib

    tail = hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "_" + tail
