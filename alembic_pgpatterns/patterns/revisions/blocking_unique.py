from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, as_written, block, constraint, python, worked
from alembic_pgpatterns.revisions.alter_table import AlterAction
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.schema.names import Name, quote


class BlockingUnique(RevisionPattern):
    """A unique constraint, primary key or exclusion constraint that builds its index while nobody can use the table.

    ADD UNIQUE and ADD PRIMARY KEY take ACCESS EXCLUSIVE and keep it while they build the index: reads and writes wait.

    Build a unique index CONCURRENTLY first, then turn it into a constraint with USING INDEX, which is instant. For a
    primary key the columns must be NOT NULL before that, or PostgreSQL reads the table. An exclusion constraint cannot
    be added this way: create a new table that has it.
    """

    fold = Fold.REVISION
    weighs_rows = True
    references = (ALTER_TABLE,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, isbn text);"
    bad = """
        def upgrade():
            op.create_unique_constraint("book_isbn_key", "book", ["isbn"])
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS book_isbn_key ON book (isbn)")
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.execute("ALTER TABLE book ADD CONSTRAINT book_isbn_key UNIQUE USING INDEX book_isbn_key")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Index builds by ADD CONSTRAINT, or by a new column that is UNIQUE."""
        for statement in run.statements:
            change = constraint(statement, "unique", "primary key", "exclusion") or _column(statement)
            # A rewrite builds all indexes anyway: that is table-rewrite's finding.
            if change is None or statement.works("rewrite"):
                continue
            for work in worked(statement, "build", run)[:1]:
                kind = change.constraint.upper()
                yield self.at(
                    run,
                    statement,
                    f"{kind} {change.name} builds its index under ACCESS EXCLUSIVE on {work.root}: "
                    "reads and writes wait for the whole build",
                    work.root,
                    _instead(statement, change, work.root),
                    object=f"{work.root}.{change.name or work.name}",
                )


def _column(statement: Statement) -> AlterAction | None:
    return next((c for c in statement.actions if c.kind == "add column" and c.constraint == "unique"), None)


def _instead(statement: Statement, change: AlterAction, table: Name) -> str:
    # USING INDEX is for UNIQUE and PRIMARY KEY only.
    if change.constraint == "exclusion":
        return "Make a new table with the exclusion, fill it, and let it take the old one's place."
    if change.kind == "add column":
        return "Add the column alone; then a unique index CONCURRENTLY, and the constraint with USING INDEX."
    columns = ", ".join(map(quote, change.columns))
    name = quote(change.name or "_".join((table.name, *change.columns, "key")))
    written = as_written(statement, table)
    build = f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {written} ({columns})"
    use = f"ALTER TABLE {written} ADD CONSTRAINT {name} {change.constraint.upper()} USING INDEX {name}"
    return f"{block(build)}\nop.execute({python(use)})\n# or op.create_{_directive(change)}_using_index"


def _directive(change: AlterAction) -> str:
    return "unique" if change.constraint == "unique" else "primary_key"
