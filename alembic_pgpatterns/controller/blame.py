"""Which revision introduced an object, from two cheap facts taken after each revision.

Object identifiers of PostgreSQL only grow within a fresh cluster, so the highest one after each revision tells when a
table, index or constraint came; and a column came with the revision after which its table first had so many.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.schema.model import Check, Column, ForeignKey, Index, Key, Name

if TYPE_CHECKING:
    import psycopg
    from alembic.runtime.migration import MigrationContext

# 16384 is FirstNormalObjectId (PostgreSQL source, access/transam.h).
WIDTHS = """
    SELECT c.oid::bigint, c.relnatts::int, s.highest::bigint
    FROM (SELECT greatest((SELECT max(oid) FROM pg_catalog.pg_class),
                          (SELECT max(oid) FROM pg_catalog.pg_constraint)) AS highest) s
    LEFT JOIN pg_catalog.pg_class c ON c.oid >= 16384 AND c.relkind IN ('r', 'p')
"""
OBJECTS = """
    SELECT n.nspname, c.relname, '' AS part, c.oid::bigint, 0
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384
    UNION ALL
    SELECT n.nspname, c.relname, k.conname, k.oid::bigint, 0
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.oid >= 16384
    UNION ALL
    SELECT n.nspname, c.relname, a.attname, c.oid::bigint, a.attnum
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass
class BlameFacts:
    """An observer of a run; asks inside the revision's own transaction, since nobody else sees it before it commits."""

    revisions: list[str] = field(default_factory=list)
    highest: list[int] = field(default_factory=list)
    widths: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def configured(self, context: MigrationContext) -> None:
        """Nothing to learn before the first revision."""

    def applied(self, context: MigrationContext, revision: str, is_upgrade: bool) -> None:
        """Note the highest identifier and the tables' widths, unless that would begin a transaction of its own."""
        if context.connection is None or not context.connection.in_transaction():
            return
        rows = context.connection.exec_driver_sql(WIDTHS).all()
        self.revisions.append(revision)
        self.highest.append(max([rows[0][2], *self.highest[-1:]]))
        for oid, width, _ in rows:
            if oid is not None and (not self.widths.get(oid) or self.widths[oid][-1][0] < width):
                self.widths.setdefault(oid, []).append((width, revision))

    def resolve(self, connection: psycopg.Connection[Any]) -> Blame:
        """The answers for the schema as it is now."""
        rows = connection.execute(OBJECTS).fetchall()
        return Blame(self, {(Name(r[0], r[1]), r[2], r[4] > 0): (r[3], r[4]) for r in rows})

    def of_oid(self, oid: int) -> str | None:
        """The revision that created the object of this identifier; None where it was there before the first."""
        position = bisect_left(self.highest, oid)
        return self.revisions[position] if position < len(self.revisions) else None

    def of_column(self, oid: int, number: int) -> str | None:
        """The revision after which the table first had this column."""
        return next((revision for width, revision in self.widths.get(oid, ()) if width >= number), None)


@dataclass(frozen=True)
class Blame:
    """Maps the names of the head schema to the revisions that created them."""

    facts: BlameFacts
    objects: dict[tuple[Name, str, bool], tuple[int, int]]

    def revision(self, at: object, table: Name | None) -> str | None:
        """The revision that created an object; None if that is not known.

        Args:
            at: the object that a finding is about; None if only its table is known.
            table: the object's table; None if it has none.
        """
        known = self.objects.get(_key(at, table))
        if known is None:
            return None
        oid, number = known
        return self.facts.of_column(oid, number) if number else self.facts.of_oid(oid)


def _key(at: object, table: Name | None) -> tuple[Name, str, bool]:
    if isinstance(at, Column):
        return (at.table, at.name, True)
    if isinstance(at, Index):
        return (at.name, "", False)
    if isinstance(at, (ForeignKey, Key, Check)):
        return (at.table, at.name or "", False)
    return (table or Name("", ""), "", False)
