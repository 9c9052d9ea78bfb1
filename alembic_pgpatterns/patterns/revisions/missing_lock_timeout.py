from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, RevisionPattern
from alembic_pgpatterns.patterns.revisions._statements import LOCKS
from alembic_pgpatterns.revisions.model import RevisionRun, blocks, is_strong

_SET = {
    True: "op.execute(\"SET LOCAL lock_timeout = '5s'\")  # before it; or for all in env.py, or for the role",
    False: "op.execute(\"SET lock_timeout = '5s'\")  # before it, RESET after it; or for all in env.py, or for a role",
}
"""By whether a transaction block is open: SET LOCAL does nothing outside of one (PostgreSQL docs, SET)."""


class MissingLockTimeout(RevisionPattern):
    """A revision that may wait without limit for a lock, and makes the application wait behind it.

    Even an ADD COLUMN that takes a millisecond needs a strong lock for that moment. If a report, a backup or a
    forgotten session uses the table, the revision waits for it. Every later query on the table then waits behind the
    revision, including reads. So a harmless change stops an application.

    With a ``lock_timeout`` the revision fails after that time and can be run again. The shortest way is one line in
    env.py, which is enough for all revisions. One finding per revision, for the first such lock. Not reported: a
    revision with a timeout from env.py, the connection or the revision itself. A timeout that production sets for a
    role or a database is not visible here.
    """

    fold = Fold.ALL
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
    not_when = "Ignore it if the role that runs migrations has a lock_timeout (`ALTER ROLE … SET lock_timeout`)."

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """The first strong lock that was taken while lock_timeout was 0."""
        for statement in run.statements:
            # PostgreSQL's own value is 0, which is none.
            if statement.lock_timeout:
                continue
            strong = next((lock for lock in statement.locks if is_strong(lock.mode)), None)
            if strong is not None:
                mode = statement.mode(strong.root) or strong.mode
                yield self.at(
                    run,
                    statement,
                    f"the revision waits for {mode} on {strong.root} without a lock_timeout: while it waits "
                    f"behind a long transaction, {blocks(mode)} wait behind it",
                    strong.root,
                    _SET[statement.transactional],
                    object=run.revision,
                )
                return
