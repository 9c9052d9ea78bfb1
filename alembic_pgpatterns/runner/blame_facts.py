"""Two cheap facts, recorded after each revision, that show which revision created what; see `controller.blame`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# 16384 is FirstNormalObjectId (PostgreSQL source, access/transam.h). Objects get their identifiers from one counter, so
# the later one has the higher. relnatts counts dropped columns too, so it never shrinks. One row comes in any case.
WIDTHS = """
    SELECT c.oid::bigint, c.relnatts::int, s.highest::bigint
    FROM (SELECT greatest((SELECT max(oid) FROM pg_catalog.pg_class),
                          (SELECT max(oid) FROM pg_catalog.pg_constraint)) AS highest) s
    LEFT JOIN pg_catalog.pg_class c ON c.oid >= 16384 AND c.relkind IN ('r', 'p')
"""


@dataclass
class BlameFacts:
    """The revisions in the order they ran, and the highest object identifier after each.

    ``widths``: by table, each number of columns that it has had, with the revision that first led to it.
    """

    revisions: list[str] = field(default_factory=list)
    highest: list[int] = field(default_factory=list)
    widths: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def applied(self, context: MigrationContext, revision: str) -> None:
        """Record the facts, inside the revision's own transaction: before the commit nobody else sees its changes.

        Not if that would start a new transaction, because this would change how the revisions run.
        """
        if context.connection is None or not context.connection.in_transaction():
            return
        rows = context.connection.exec_driver_sql(WIDTHS).fetchall()
        self.revisions.append(revision)
        self.highest.append(max([rows[0][2], *self.highest[-1:]]))
        for oid, width, _ in rows:
            if oid is not None:
                self.note_width(oid, width, revision)

    def note_width(self, oid: int, width: int, revision: str) -> None:
        """A table has this many columns after a revision. Recorded if it had fewer before."""
        earlier = self.widths.setdefault(oid, [])
        if not earlier or earlier[-1][0] < width:
            earlier.append((width, revision))

    def after(self, earlier: BlameFacts) -> BlameFacts:
        """These facts, combined with earlier ones of the same database."""
        highest = earlier.highest[-1:]
        result = BlameFacts(
            [*earlier.revisions, *self.revisions],
            [*earlier.highest, *(max([number, *highest]) for number in self.highest)],
            {oid: list(widths) for oid, widths in earlier.widths.items()},
        )
        for oid, widths in self.widths.items():
            for width, revision in widths:
                result.note_width(oid, width, revision)
        return result
