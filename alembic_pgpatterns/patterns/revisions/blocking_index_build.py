from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import CREATE_INDEX, LOCKS, block, with_words, worked
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, Work, blocks


class BlockingIndexBuild(RevisionPattern):
    """An index that is built on an existing table without CONCURRENTLY, so writes wait for the whole build.

    CREATE INDEX takes a SHARE lock on the table and keeps it for the whole build: every INSERT, UPDATE and DELETE
    waits, on a large table for minutes. On a partitioned table that is true for every partition. REINDEX does the same,
    and also blocks reads that use the index.

    CREATE INDEX CONCURRENTLY takes SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes. It cannot run in a
    transaction, so put it into an autocommit block, best in a revision of its own. If it fails it leaves an INVALID
    index, which IF NOT EXISTS would then skip: drop that index first, or use ``op.create_index_concurrently``, which
    does so.

    Not reported: indexes on tables that the same revision creates, and those that a table rewrite or a new constraint
    builds, which have patterns of their own.
    """

    fold = Fold.REVISION
    weighs_rows = True
    references = (CREATE_INDEX, LOCKS)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text);"
    bad = """
        def upgrade():
            op.create_index("ix_book_title", "book", ["title"])
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.create_index("ix_book_title", "book", ["title"], postgresql_concurrently=True, if_not_exists=True)
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Builds by CREATE INDEX, REINDEX, or out of sight in a function."""
        for statement in run.statements:
            if _builds(statement):
                # Of a partitioned table one is built on each partition: they are one finding, on the parent.
                works = {work.root: work for work in reversed(worked(statement, "build", run))}
                yield from (self._finding(run, statement, work) for work in works.values())

    def _finding(self, run: RevisionRun, statement: Statement, work: Work) -> Finding:
        command = statement.command
        name = command.name if command is not None and work.root != work.table else work.name
        mode = statement.mode(work.root) or "SHARE"
        # REINDEX takes the stronger lock itself; a CREATE INDEX finds it there.
        held = any(lock.root == work.root and lock.mode == mode for lock in statement.held)
        while_held = f"{name} is built while this transaction holds {mode} on {work.root}"
        message = while_held if held else f"building {name} keeps {mode} on {work.root} until it is done"
        message += f": {blocks(mode)} wait until then"
        return self.at(run, statement, message, work.root, _instead(statement), object=f"{work.root}.{name}")


def _builds(statement: Statement) -> bool:
    command = statement.command
    # The server saw a build that no statement of the revision says: a function does it.
    if command is None:
        return True
    # REINDEX in a function fires no event before PostgreSQL 17, so that its text is not known.
    kinds = ("create index", "reindex table", "reindex", "do", "select", "")
    return command.kind in kinds and not command.concurrently


def _instead(statement: Statement) -> str:
    command = statement.command
    if command is None or command.kind not in ("create index", "reindex table", "reindex"):
        return "Build it outside of the function, with CREATE INDEX CONCURRENTLY in an autocommit block."
    if command.kind != "create index":
        return block(with_words(command.text, "CONCURRENTLY"))
    # IF NOT EXISTS needs a name (docs, CREATE INDEX).
    words = "CONCURRENTLY" if command.if_not_exists or not command.name else "CONCURRENTLY IF NOT EXISTS"
    return (
        block(with_words(command.text, words))
        + "\n# or op.create_index_concurrently, which also makes an index again that a failed build left"
    )
