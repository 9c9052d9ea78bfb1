from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RehearsalPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Spot
from alembic_pgpatterns.revisions.rehearsed import LostContent, RehearsedRun
from alembic_pgpatterns.schema.model import Location
from alembic_pgpatterns.schema.names import quote

_REMEDY = Advice(
    "Write the downgrade so that it restores the values: keep the old column until the release is safe, or copy the "
    'values back. If they cannot be restored, say so: raise NotImplementedError("why") in downgrade().'
)


class DataLostOnDowngrade(RehearsalPattern):
    """After upgrade and downgrade the schema is as before, but the rows are not.

    The rehearsal compares the content of every column before the upgrade with that after the downgrade, on made-up
    rows. A deployment that is taken back loses exactly these values in production, and nobody sees an error.

    A column that the upgrade drops is reported as information: whoever drops a column means to lose it. A downgrade
    that raises by itself is respected.
    """

    severity = Severity.WARNING
    references = ("https://alembic.sqlalchemy.org/en/latest/tutorial.html#downgrading",)
    not_when = "Leave it if the values do not matter any more when the revision is taken back."
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, pages integer NOT NULL);"
    bad = """
        def upgrade():
            op.execute("UPDATE book SET pages = 0")

        def downgrade():
            pass
    """
    good = """
        def upgrade():
            op.add_column("book", sa.Column("old_pages", sa.Integer()))
            op.execute("UPDATE book SET old_pages = pages, pages = 0")

        def downgrade():
            op.execute("UPDATE book SET pages = old_pages")
            op.drop_column("book", "old_pages")
    """

    def detect(self, run: RehearsedRun) -> Iterator[Finding]:
        """One finding per column, or per table whose number of rows changed."""
        place = Location(run.path, run.downgrade_line)
        for item in run.lost:
            name = str(item.table) if item.rows_lost else f"{item.table}.{quote(item.column)}"
            spot = Spot(name, item.table, place, place.line)
            yield self.finding(
                spot,
                _message(item),
                _REMEDY,
                revision=run.revision,
                severity=None if item.survives else Severity.INFO,
                detail=run.revision,
            )


def _message(item: LostContent) -> str:
    name = f"{item.table.name}.{item.column}"
    if item.rows_lost < 0:
        return f"after upgrade and downgrade {item.table.name} has {-item.rows_lost:,} more rows than its {item.rows:,}"
    if item.rows_lost:
        return f"after upgrade and downgrade {item.rows_lost:,} of {item.rows:,} rows of {item.table.name} are gone"
    if item.remaining < item.before:
        lost = item.before - item.remaining
        return f"after upgrade and downgrade {lost:,} of {item.before:,} values of {name} are gone"
    return f"after upgrade and downgrade the values of {name} are not what they were"
