from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import LOCKS
from alembic_pgpatterns.revisions.model import RevisionRun, blocks, is_strong


class MissingLockTimeout(RevisionPattern):
    """A strong lock on an existing table, awaited without an end.

    A lock that is needed for a millisecond may be waited for much longer: for a report, a backup, a session that
    somebody left open. While it waits, everybody else queues behind it, readers too. This is how a harmless ADD COLUMN
    takes an application down.

    With a ``lock_timeout`` the revision gives up instead, and can be run again. It is reported once a revision, for
    the first lock of that kind. A timeout that env.py, the connection or the revision sets counts; one that a role or
    a database has in production cannot be seen here: then leave this pattern out.
    """

    references = ("https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT", LOCKS)
    existing = "CREATE TABLE book (id bigint PRIMARY KEY);"
    bad = """
        def upgrade():
            op.add_column("book", sa.Column("title", sa.Text()))
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("book", sa.Column("title", sa.Text()))
    """
    not_when = "The role that runs migrations has a lock_timeout (`ALTER ROLE … SET lock_timeout`)."

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """The first strong lock that was taken while lock_timeout was 0."""
        for statement in run.statements:
            if statement.lock_timeout:
                continue
            strong = next((lock for lock in statement.locks if is_strong(lock.mode)), None)
            if strong is not None:
                mode = statement.mode(strong.root) or strong.mode
                yield self.at(
                    run,
                    statement,
                    f"{mode} on {strong.root} is awaited without a lock_timeout: while it waits behind a long "
                    f"transaction, {blocks(mode)} queue behind it",
                    strong.root,
                    "op.execute(\"SET LOCAL lock_timeout = '5s'\")  # before it; or for all in env.py, or for the role",
                    object=run.revision,
                )
                return
