from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.pattern import Finding, RevisionPattern, Severity
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, altered, as_written
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.schema.model import Name
from alembic_pgpatterns.schema.names import quote


class RequiredColumnWithoutDefault(RevisionPattern):
    """A NOT NULL column without a default, added to an existing table.

    It works on an empty table and fails on every other, so it passes all tests and fails in production: column …
    contains null values.

    A constant default costs nothing since PostgreSQL 11, whatever the number of rows. Or add the column nullable, fill
    it in batches, then set NOT NULL. Tables that the revision empties first do not count.
    """

    severity = Severity.ERROR
    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY);"
    bad = """
        def upgrade():
            op.add_column("book", sa.Column("kind", sa.Text(), nullable=False))
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("book", sa.Column("kind", sa.Text(), nullable=False, server_default="novel"))
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """ADD COLUMN … NOT NULL with nothing that fills it."""
        for statement, table, change in altered(run, "add column"):
            if change.required and not _emptied(run, table, statement) and (table, 0) not in run.rows:
                column = quote(change.name)
                yield self.at(
                    run,
                    statement,
                    f"{table}.{column} is NOT NULL without a default: this fails as soon as {table} holds a row",
                    table,
                    f"ALTER TABLE {as_written(statement, table)} ADD COLUMN {column} {change.type} NOT NULL DEFAULT …, "
                    "or add it nullable, fill it in batches (op.backfill), then NOT NULL (op.set_not_null)",
                    object=f"{table}.{column}",
                )


def _emptied(run: RevisionRun, table: Name, until: Statement) -> bool:
    for statement in run.statements:
        if statement is until:
            return False
        command = statement.command
        if command is None or not command.relations:
            continue
        emptying = command.kind == "truncate" or (command.kind == "delete" and command.everywhere)
        if emptying and table in statement.tables:
            return True
    return False
