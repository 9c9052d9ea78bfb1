from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import CREATE_INDEX, named
from alembic_pgpatterns.revisions.model import RevisionRun

LONG = 60 * 60 * 1000
"""Milliseconds from which a statement_timeout is meant for statements such as this one."""


class TimeoutKillsConcurrentBuild(RevisionPattern):
    """A concurrent index build that a lock_timeout or statement_timeout can stop half-way.

    CREATE INDEX CONCURRENTLY waits for every older transaction, even an unrelated one, and this wait counts as waiting
    for a lock. A timeout that is right for short locks stops the build and leaves an INVALID index, which slows down
    writes and which IF NOT EXISTS then takes for finished.

    Set both timeouts to 0 for the build, and back afterwards.

    Not reported: a statement_timeout of an hour or more, which somebody chose for long statements.
    """

    fold = Fold.REVISION
    references = (CREATE_INDEX,)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY, title text);"
    bad = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("SET lock_timeout = '5s'")
                op.execute("CREATE INDEX CONCURRENTLY ix_book_title ON book (title)")
    """
    good = """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("SET lock_timeout = 0")
                op.execute("SET statement_timeout = 0")
                op.execute("CREATE INDEX CONCURRENTLY ix_book_title ON book (title)")
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """Concurrent statements while a timeout is in force."""
        for statement in run.statements:
            command = statement.command
            if command is None or not command.concurrently or command.kind not in ("create index", "reindex table"):
                continue
            of_statement = statement.statement_timeout or 0
            timeouts = (
                ("lock_timeout", statement.lock_timeout),
                ("statement_timeout", of_statement if of_statement < LONG else 0),
            )
            set_to = [f"{name} of {value} ms" for name, value in timeouts if value]
            table = named(statement)
            if set_to and table is not None and run.existed(table):
                yield self.at(
                    run,
                    statement,
                    f"the concurrent build of {command.name or table} runs under a {' and a '.join(set_to)}, which "
                    "stops it if it waits longer for an older transaction, and leaves an INVALID index",
                    table,
                    "SET lock_timeout = 0 and SET statement_timeout = 0 before it, and restore them afterwards; "
                    "op.create_index_concurrently does that.",
                    object=f"{table}.{command.name}",
                )
