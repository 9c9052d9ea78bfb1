from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RehearsalPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Spot
from alembic_pgpatterns.revisions.rehearsed import RehearsedRun

_REMEDY = Advice(
    "Before this statement, change or delete the rows that stand in its way, in this revision or in one before it. If "
    "production cannot have such rows, add the constraint that says so first, or give the rehearsal rows of your own."
)


class FailsWithRows(RehearsalPattern):
    """A revision that runs on empty tables and fails as soon as there are rows.

    The rehearsal fills the tables with rows that the schema before the revision allows, and runs the revision on them.
    A new NOT NULL meets a NULL, a unique constraint meets two equal rows, a foreign key or a CHECK meets a value that
    breaks it, a cast meets a text that it cannot read, a loop over rows meets what it did not expect. The finding shows
    the row. The rows are made up: the schema allows them, and whether production has one like it is for you to know.
    """

    severity = Severity.ERROR
    references = ("https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES",)
    not_when = "Leave it if you know that no such row exists, for example because the application always sets it."
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text);"
    bad = """
        def upgrade():
            op.alter_column("book", "title", nullable=False)

        def downgrade():
            op.alter_column("book", "title", nullable=True)
    """
    good = """
        def upgrade():
            op.execute("UPDATE book SET title = '' WHERE title IS NULL")
            op.alter_column("book", "title", nullable=False)

        def downgrade():
            op.alter_column("book", "title", nullable=True)
    """

    def detect(self, run: RehearsedRun) -> Iterator[Finding]:
        """One finding per way and line."""
        for failure in run.failures:
            spot = Spot(run.revision, None, failure.location, failure.location.line)
            message = f"the {failure.way} runs on empty tables and fails on rows: {failure.message}"
            detail = "" if failure.way == "upgrade" else failure.way
            yield self.finding(spot, message, _REMEDY, revision=run.revision, detail=detail)
