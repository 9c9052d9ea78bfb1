"""Questions to the catalog about tables and indexes, on the connection of the running migration."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Row

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.session import fetch
from alembic_pgpatterns.operations.statement import Name, always_quoted

if TYPE_CHECKING:
    from alembic.operations import Operations

LONGEST_NAME = 63
"""Bytes PostgreSQL keeps of an identifier."""


class Relation(NamedTuple):
    """A table or index that exists; *kind* is pg_class.relkind."""

    schema: str
    name: str
    kind: str

    @property
    def quoted(self) -> str:
        """For a bound parameter that is cast to regclass."""
        return always_quoted(self.schema, self.name)

    @property
    def sql(self) -> Name:
        """For a statement."""
        return Name(self.schema, self.name)

    @property
    def partitioned(self) -> bool:
        """A partitioned table or index."""
        return self.kind in ("p", "I")

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


_RELATION = """
    SELECT n.nspname, c.relname, c.relkind::text AS kind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass(:name)
"""


def relation(operations: Operations, name: str, schema: str | None) -> Relation | None:
    """The table or index of that name, by way of the search path where no schema is given."""
    rows = fetch(operations, _RELATION, name=always_quoted(schema, name))
    return Relation(rows[0].nspname, rows[0].relname, rows[0].kind) if rows else None


def table(operations: Operations, name: str, schema: str | None) -> Relation:
    """The table of that name.

    Raises:
        PgPatternsError: there is none.
    """
    found = relation(operations, name, schema)
    if found is None or found.kind not in ("r", "p", "m", "f"):
        raise errors.PgPatternsError(f"there is no table {schema + '.' if schema else ''}{name} in this database")
    return found


_PARTITIONS = """
    SELECT n.nspname, c.relname, c.relkind::text AS kind
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = CAST(:table AS regclass) ORDER BY 1, 2
"""


def partitions(operations: Operations, parent: Relation) -> list[Relation]:
    """The direct partitions of a partitioned table or index."""
    rows = fetch(operations, _PARTITIONS, table=parent.quoted)
    return [Relation(row.nspname, row.relname, row.kind) for row in rows]


_CONSTRAINT = """
    SELECT contype::text AS contype, convalidated, conindid::bigint AS index, condeferrable, condeferred,
           pg_catalog.pg_get_constraintdef(oid) AS definition
    FROM pg_catalog.pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :name
"""


def constraint(operations: Operations, on: Relation, name: str) -> Row[Any] | None:
    """The constraint of that name: contype, convalidated, definition."""
    rows = fetch(operations, _CONSTRAINT, table=on.quoted, name=name)
    return rows[0] if rows else None


def derived_name(*parts: str) -> str:
    """The parts joined by underscores; where that is too long for PostgreSQL, cut, with a hash for a tail."""
    name = "_".join(parts)
    if len(name.encode()) <= LONGEST_NAME:
        return name
    tail = hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "_" + tail
