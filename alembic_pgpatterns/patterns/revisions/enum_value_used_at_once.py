from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RevisionPattern, Severity
from alembic_pgpatterns.revisions.model import RevisionRun

# unsafe_new_enum_value_usage.
UNSAFE_VALUE = "55P04"


class EnumValueUsedAtOnce(RevisionPattern):
    """A new value of an enum that is used in the same transaction that added it.

    PostgreSQL refuses that: "unsafe use of new value". Without ``transaction_per_migration`` all revisions of a run
    share one transaction, so moving the use to the next file does not help.

    Add the value in an autocommit block, which commits it.
    """

    severity = Severity.ERROR
    references = ("https://www.postgresql.org/docs/current/sql-altertype.html",)
    existing = "CREATE TYPE kind AS ENUM ('novel'); CREATE TABLE book (id bigint PRIMARY KEY, kind kind);"
    bad = """
        def upgrade():
            op.execute("ALTER TYPE kind ADD VALUE 'poem'")
            op.execute("UPDATE book SET kind = 'poem' WHERE id = 7")
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("ALTER TYPE kind ADD VALUE IF NOT EXISTS 'poem'")
            op.execute("UPDATE book SET kind = 'poem' WHERE id = 7")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Statements that failed with unsafe_new_enum_value_usage."""
        for statement in run.statements:
            if statement.error == UNSAFE_VALUE:
                yield self.at(
                    run,
                    statement,
                    "a value is used in the transaction that added it to its enum, which PostgreSQL refuses",
                    advice='with op.get_context().autocommit_block():\n    op.execute("ALTER TYPE … ADD VALUE IF NOT '
                    'EXISTS …")',
                )
