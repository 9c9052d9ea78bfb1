"""Find out which revision introduced an object, from two cheap facts that are recorded after each revision.

PostgreSQL's object identifiers only grow in a new cluster. So the highest identifier after each revision shows when a
table, index or constraint was created; the number of a table's columns shows when a column was added.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.schema.model import Check, Column, ForeignKey, Index, Key, Name

if TYPE_CHECKING:
    import psycopg

# 16384 is FirstNormalObjectId (PostgreSQL source, access/transam.h).
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


def resolve(facts: BlameFacts, connection: psycopg.Connection[Any]) -> Blame:
    """Connect the facts with the names in the schema as it is now."""
    rows = connection.execute(OBJECTS).fetchall()
    return Blame(facts, {(Name(r[0], r[1]), r[2], r[4] > 0): (r[3], r[4]) for r in rows})


def of_oid(facts: BlameFacts, oid: int) -> str | None:
    """The revision that created the object with this identifier; None if it existed before the first revision."""
    position = bisect_left(facts.highest, oid)
    return facts.revisions[position] if position < len(facts.revisions) else None


def of_column(facts: BlameFacts, oid: int, number: int) -> str | None:
    """The revision after which the table first had this column."""
    return next((revision for width, revision in facts.widths.get(oid, ()) if width >= number), None)


@dataclass(frozen=True)
class Blame:
    """Maps the names of the head schema to the revisions that created them."""

    facts: BlameFacts
    objects: dict[tuple[Name, str, bool], tuple[int, int]]

    def revision(self, at: object, table: Name | None) -> str | None:
        """The revision that created an object; None if it is not known.

        Args:
            at: the object of a finding; None if only its table is known.
            table: the object's table; None if it has none.
        """
        identifiers = self.objects.get(_key(at, table))
        if identifiers is None:
            return None
        oid, number = identifiers
        return of_column(self.facts, oid, number) if number else of_oid(self.facts, oid)


def _key(at: object, table: Name | None) -> tuple[Name, str, bool]:
    if isinstance(at, Column):
        return (at.table, at.name, True)
    if isinstance(at, Index):
        return (at.name, "", False)
    if isinstance(at, (ForeignKey, Key, Check)):
        return (at.table, at.name or "", False)
    return (table or Name("", ""), "", False)
