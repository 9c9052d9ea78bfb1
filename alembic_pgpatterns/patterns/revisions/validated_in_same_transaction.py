from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, altered, block, busy
from alembic_pgpatterns.revisions.model import RevisionRun, blocks, is_strong


class ValidatedInSameTransaction(RevisionPattern):
    """A constraint that is added and validated in one transaction, which keeps a strong lock all the time.

    Locks are held until a transaction ends. If ADD … NOT VALID and VALIDATE share a transaction, the strong lock of the
    first is held while the second reads the table: NOT VALID gained nothing.

    Two revision files are not two transactions: without ``transaction_per_migration`` all revisions of a run share one.
    An autocommit block around VALIDATE commits what came before it.
    """

    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, pages integer);"
    bad = """
        def upgrade():
            op.execute("ALTER TABLE book ADD CONSTRAINT book_pages_check CHECK (pages > 0) NOT VALID")
            op.execute("ALTER TABLE book VALIDATE CONSTRAINT book_pages_check")
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.execute("ALTER TABLE book ADD CONSTRAINT book_pages_check CHECK (pages > 0) NOT VALID")
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE book VALIDATE CONSTRAINT book_pages_check")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Scans by VALIDATE while a strong lock is held on the table."""
        for statement, table, change in altered(run, "validate"):
            strongest = statement.mode(table)
            if statement.work and busy(run, table) and strongest is not None and is_strong(strongest):
                yield self.at(
                    run,
                    statement,
                    f"{change.name} is validated while this transaction holds {strongest} on {table}: "
                    f"{blocks(strongest)} wait until every row is read",
                    table,
                    block(statement.sql),
                    object=f"{table}.{change.name}",
                )
