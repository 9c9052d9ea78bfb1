from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, as_written, block, python, worked
from alembic_pgpatterns.revisions.alter_table import AlterAction
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.schema.names import Name, quote


class ValidatingCheck(RevisionPattern):
    """A CHECK that is added to an existing table and reads all its rows while nobody can use the table.

    ADD CHECK takes ACCESS EXCLUSIVE and keeps it while it reads the whole table: reads and writes wait. The same is
    true for a new column with a CHECK.

    With NOT VALID the lock is released at once. VALIDATE CONSTRAINT, in another transaction, reads the table under
    SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes.
    """

    fold = Fold.REVISION
    weighs_rows = True
    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, pages integer);"
    bad = """
        def upgrade():
            op.create_check_constraint("book_pages_check", "book", "pages > 0")
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.create_check_constraint("book_pages_check", "book", "pages > 0", postgresql_not_valid=True)
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE book VALIDATE CONSTRAINT book_pages_check")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Scans by a statement that adds a CHECK."""
        for statement in run.statements:
            change = _check(statement)
            # A rewrite reads the table anyway: that is table-rewrite's finding.
            if change is None or statement.works("rewrite"):
                continue
            for work in worked(statement, "scan", run)[:1]:
                yield self.at(
                    run,
                    statement,
                    f"{change.name or 'the CHECK'} is checked against every row of {work.root} under ACCESS EXCLUSIVE: "
                    "reads and writes wait",
                    work.root,
                    _instead(statement, change, work.root),
                    object=f"{work.root}.{change.name}",
                )


def _check(statement: Statement) -> AlterAction | None:
    for change in statement.actions:
        if change.kind == "add constraint" and change.constraint == "check" and change.validated:
            return change
        if change.kind == "add column" and change.checks:
            return change
    return None


def _instead(statement: Statement, change: AlterAction, table: Name) -> str:
    if change.kind == "add column":
        return "Add the column alone, then the CHECK with NOT VALID, then VALIDATE CONSTRAINT in an autocommit block."
    if len(statement.actions) > 1:
        return "Add it alone and with NOT VALID, then VALIDATE CONSTRAINT in an autocommit block."
    if not change.name:
        return "Give it a name, add it with NOT VALID, then VALIDATE CONSTRAINT in an autocommit block."
    validate = f"ALTER TABLE {as_written(statement, table)} VALIDATE CONSTRAINT {quote(change.name)}"
    return (
        f"op.execute({python(statement.sql, 'NOT VALID')})\n{block(validate)}"
        "\n# or op.create_check_not_valid and op.validate_constraint"
    )
