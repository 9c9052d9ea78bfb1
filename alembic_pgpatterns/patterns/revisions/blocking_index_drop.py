from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import LOCKS, block, with_words, worked
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from alembic_pgpatterns.schema.model import Index, Name
from alembic_pgpatterns.schema.sql.values import columns


class BlockingIndexDrop(RevisionPattern):
    """An index of an existing table that is dropped without CONCURRENTLY, so all queries can pile up behind it.

    DROP INDEX takes ACCESS EXCLUSIVE on the table. The drop itself is instant, but first it waits for every statement
    that is running on the table, and while it waits all others wait behind it, reads too.

    DROP INDEX CONCURRENTLY waits as well, but while it waits it blocks nobody. It cannot run in a transaction. Indexes
    of partitioned tables cannot be dropped this way and are not reported, nor are those of a table or column that the
    revision drops as well, nor what is dropped while the transaction holds that lock already.
    """

    fold = Fold.REVISION
    references = ("https://www.postgresql.org/docs/current/sql-dropindex.html", LOCKS)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text); CREATE INDEX ix_book_title ON book (title);"
    bad = """
        def upgrade():
            op.drop_index("ix_book_title", "book")
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.drop_index("ix_book_title", "book", postgresql_concurrently=True, if_exists=True)
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """DROP INDEX of an index that was there before."""
        for statement in run.statements:
            command = statement.command
            # What failed has changed nothing.
            if command is None or command.kind != "drop index" or command.concurrently or statement.error is not None:
                continue
            for relation in command.relations:
                index = next(
                    (i for table in run.before.tables for i in table.indexes
                     if i.name.name == relation.name and relation.schema in ("", i.name.schema)),
                    None,
                )  # fmt: skip
                # One of that name that the revision made is on a table that is not locked.
                locked = index is not None and statement.mode(index.table) == "ACCESS EXCLUSIVE"
                if index is None or not locked or _partitioned(run, index.table) or _dropped(run, index):
                    continue
                if _holds_already(run, statement, index.table) or _rewrites_next(run, statement, index.table):
                    continue
                text = with_words(command.text, "CONCURRENTLY")
                yield self.at(
                    run,
                    statement,
                    f"DROP INDEX takes ACCESS EXCLUSIVE on {index.table}: reads and writes wait for it, and it waits "
                    "for every statement that is running there",
                    index.table,
                    block(text) + "\n# or op.drop_index_concurrently",
                    object=str(index.name),
                )


def _dropped(run: RevisionRun, index: Index) -> bool:
    """Whether the revision drops the table or an indexed column as well, which takes the index with it.

    The readers and writers wait for that, or are gone.
    """
    if any(index.table in s.tables for s in run.statements if s.command is not None and s.command.kind == "drop table"):
        return True  # even if another table has the name now
    table = run.after.table(index.table)
    named = {*filter(None, index.columns), *index.include}
    if isinstance(index.predicate, str):
        named |= columns(index.predicate)
    return table is None or any(table.column(name) is None for name in named)


def _holds_already(run: RevisionRun, statement: Statement, name: Name) -> bool:
    """Whether something else took the lock before in the transaction, so that this drop waits for nobody."""
    earlier = run.statements[: run.statements.index(statement)]
    return statement.transactional and any(
        other.transaction == statement.transaction
        and other.transactional
        and other.command is not None
        and other.command.kind != "drop index"
        and any(lock.root == name and lock.mode == "ACCESS EXCLUSIVE" for lock in other.locks)
        for other in earlier
    )


def _rewrites_next(run: RevisionRun, statement: Statement, name: Name) -> bool:
    """Whether the transaction goes on to rewrite the table, under the same lock: table-rewrite says so."""
    later = run.statements[run.statements.index(statement) + 1 :]
    return statement.transactional and any(
        work.root == name
        for other in later
        if other.transactional and other.transaction == statement.transaction
        for work in worked(other, "rewrite", run)
    )


def _partitioned(run: RevisionRun, name: object) -> bool:
    table = next((table for table in run.before.tables if table.name == name), None)
    # PostgreSQL refuses DROP INDEX CONCURRENTLY there (docs, "DROP INDEX").
    return table is not None and (table.kind == "partitioned" or table.partition_of is not None)
