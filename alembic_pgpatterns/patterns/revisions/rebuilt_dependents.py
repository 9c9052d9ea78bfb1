from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import ALTER_TABLE, busy, named
from alembic_pgpatterns.revisions.model import RevisionRun


class RebuiltDependents(RevisionPattern):
    """A change of type that leaves the rows alone but checks or indexes the whole table again, while nobody can use it.

    varchar(50) to text does not touch the rows. But a CHECK on the column is verified again, and partial indexes,
    indexes on expressions and those whose operator class changes are rebuilt, all under ACCESS EXCLUSIVE.

    Drop such an index CONCURRENTLY first and build it again afterwards; drop the CHECK and add it again with NOT VALID.
    """

    fold = Fold.REVISION
    references = (ALTER_TABLE,)
    existing = """
        CREATE TABLE book (id bigint PRIMARY KEY, title varchar(50), subtitle varchar(50));
        CREATE INDEX ix_book_title ON book (title) WHERE title <> '';
    """
    bad = """
        def upgrade():
            op.alter_column("book", "title", type_=sa.Text())
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.alter_column("book", "subtitle", type_=sa.Text())
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Builds and scans by ALTER TYPE without a rewrite."""
        for statement in run.statements:
            change = next((change for change in statement.actions if change.kind == "alter type"), None)
            # A rewrite builds all indexes anyway: that is table-rewrite's finding.
            if change is None or statement.command is None or statement.works("rewrite"):
                continue
            table = named(statement)
            names = [work.name for work in statement.work if work.kind == "build" and work.name]
            scanned = bool(statement.works("scan"))
            if table is not None and busy(run, table) and (names or scanned):
                effects = [f"rebuilds {', '.join(names)}"] if names else []
                effects += ["verifies its constraints row by row"] if scanned else []
                yield self.at(
                    run,
                    statement,
                    f"the new type of {table}.{change.name} {' and '.join(effects)} under ACCESS EXCLUSIVE: reads and "
                    "writes wait",
                    table,
                    "Drop those indexes CONCURRENTLY before it, and build them CONCURRENTLY afterwards; drop the "
                    "constraints before it, and add them again with NOT VALID.",
                    object=f"{table}.{change.name}",
                )
