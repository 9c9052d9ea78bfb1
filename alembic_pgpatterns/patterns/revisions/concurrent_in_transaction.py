from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RevisionPattern, Severity
from alembic_pgpatterns.patterns.revisions._statements import CREATE_INDEX, block
from alembic_pgpatterns.revisions.model import RevisionRun

# active_sql_transaction (docs, "PostgreSQL Error Codes"): messages are in the server's language, codes are not.
ACTIVE_TRANSACTION = "25001"


class ConcurrentInTransaction(RevisionPattern):
    """A statement that PostgreSQL refuses inside a transaction.

    CREATE INDEX CONCURRENTLY, DROP INDEX CONCURRENTLY, REINDEX CONCURRENTLY, DETACH PARTITION CONCURRENTLY, VACUUM and
    some others need to commit on their own, but Alembic runs revisions inside a transaction.

    An autocommit block commits everything before it, and runs its statements outside of a transaction.
    """

    severity = Severity.ERROR
    references = (CREATE_INDEX, "https://alembic.sqlalchemy.org/en/latest/api/runtime.html")
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text);"
    bad = """
        def upgrade():
            op.create_index("ix_book_title", "book", ["title"], postgresql_concurrently=True)
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.create_index("ix_book_title", "book", ["title"], postgresql_concurrently=True, if_not_exists=True)
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Statements that failed with active_sql_transaction."""
        for statement in run.statements:
            if statement.error == ACTIVE_TRANSACTION:
                kind = " ".join(statement.sql.split()[:3])
                yield self.at(
                    run,
                    statement,
                    f"PostgreSQL refuses {kind} … inside a transaction, so the revision fails",
                    advice=block(statement.sql),
                )
