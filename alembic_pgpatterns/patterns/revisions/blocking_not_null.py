from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, as_written, block, python, worked
from alembic_pgpatterns.revisions.alter_table import AlterAction
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.schema.names import Name, quote


class BlockingNotNull(RevisionPattern):
    """SET NOT NULL that reads the whole table while nobody can use it.

    SET NOT NULL takes ACCESS EXCLUSIVE and keeps it while it searches for nulls: reads and writes wait.

    If a **valid** CHECK (column IS NOT NULL) exists, PostgreSQL trusts it and does not read the table (since version
    12). So add that CHECK with NOT VALID, VALIDATE it in another transaction, SET NOT NULL, and drop the CHECK.
    """

    fold = Fold.REVISION
    weighs_rows = True
    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text);"
    bad = """
        def upgrade():
            op.alter_column("book", "title", nullable=False)
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.execute("ALTER TABLE book ADD CONSTRAINT title_there CHECK (title IS NOT NULL) NOT VALID")
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE book VALIDATE CONSTRAINT title_there")
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.alter_column("book", "title", nullable=False)
            op.drop_constraint("title_there", "book")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Scans by a statement that sets NOT NULL."""
        for statement in run.statements:
            change = _not_null(statement)
            # A rewrite reads the table anyway: that is table-rewrite's finding.
            if change is None or statement.works("rewrite"):
                continue
            for work in worked(statement, "scan", run)[:1]:
                column = change.columns[0] if change.columns else change.name
                yield self.at(
                    run,
                    statement,
                    f"SET NOT NULL on {work.root}.{column} reads every row under ACCESS EXCLUSIVE: "
                    "reads and writes wait",
                    work.root,
                    _instead(statement, work.root, column),
                    object=f"{work.root}.{column}",
                )


def _not_null(statement: Statement) -> AlterAction | None:
    for change in statement.actions:
        if change.kind == "set not null":
            return change
        if change.kind == "add constraint" and change.constraint == "not null" and change.validated:
            return change
    return None


def _instead(statement: Statement, table: Name, column: str) -> str:
    name, alter = quote(f"{table.name}_{column}_is_not_null"), f"ALTER TABLE {as_written(statement, table)}"
    add = f"{alter} ADD CONSTRAINT {name} CHECK ({quote(column)} IS NOT NULL) NOT VALID"
    return "\n".join(
        (
            f"op.execute({python(add)})",
            block(f"{alter} VALIDATE CONSTRAINT {name}"),
            f"op.execute({python(f'{alter} ALTER COLUMN {quote(column)} SET NOT NULL')})",
            f"op.execute({python(f'{alter} DROP CONSTRAINT {name}')})",
            "# or op.set_not_null",
        )
    )
