from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.pattern import Finding, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, block, constraint, python, table_sql, worked
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, Work
from alembic_pgpatterns.schema.names import quote


class ValidatingForeignKey(RevisionPattern):
    """A foreign key added to an existing table, and checked against all its rows under the lock.

    ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables and keeps it while it looks up every row: writes to either
    wait.

    With NOT VALID the lock is over at once, and new rows are checked from then on. VALIDATE CONSTRAINT, in another
    transaction, checks the old ones under SHARE UPDATE EXCLUSIVE, which stops nobody.

    A new column with an inline REFERENCES is not scanned, as all its values are null, and does not count. On a
    partitioned table before PostgreSQL 18 NOT VALID is refused.
    """

    references = (ALTER_TABLE,)
    existing = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint);
    """
    bad = """
        def upgrade():
            op.create_foreign_key("book_author_id_fkey", "book", "author", ["author_id"], ["id"])
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.create_foreign_key(
                "book_author_id_fkey", "book", "author", ["author_id"], ["id"], postgresql_not_valid=True
            )
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE book VALIDATE CONSTRAINT book_author_id_fkey")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Checks of a foreign key while writers wait."""
        for statement in run.statements:
            if any(change.kind == "validate" for change in statement.changes):
                continue
            for work in worked(statement, "foreign key", run):
                if statement.mode(work.root) not in (None, "SHARE UPDATE EXCLUSIVE"):
                    yield self._finding(run, statement, work)

    def _finding(self, run: RevisionRun, statement: Statement, work: Work) -> Finding:
        others = {lock.root for lock in statement.locks if lock.mode == "SHARE ROW EXCLUSIVE"} - {work.root}
        tables = " and ".join(map(str, (work.root, *sorted(others, key=str))))
        message = (
            f"{work.name or 'the foreign key'} is checked against every row of {work.root} while SHARE ROW EXCLUSIVE "
            f"is held on {tables}: writes wait"
        )
        return self.at(run, statement, message, work.root, _instead(statement, work), object=f"{work.root}.{work.name}")


def _instead(statement: Statement, work: Work) -> str:
    change = constraint(statement, "foreign key")
    if change is None or statement.command is None or len(statement.changes) > 1:
        return "Add it with NOT VALID, then VALIDATE CONSTRAINT in an autocommit block."
    validate = f"ALTER TABLE {table_sql(work.root)} VALIDATE CONSTRAINT {quote(work.name or '')}"
    return (
        f"op.execute({python(statement.sql + ' NOT VALID')})\n{block(validate)}"
        "\n# or op.create_foreign_key_not_valid and op.validate_constraint"
    )
