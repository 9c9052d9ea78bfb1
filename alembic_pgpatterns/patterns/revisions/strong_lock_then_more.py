from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from alembic_pgpatterns.patterns import Finding, RevisionPattern, Severity
from alembic_pgpatterns.patterns.revisions._statements import LOCKS, busy, constraint, line, named, worked
from alembic_pgpatterns.patterns.revisions.unbatched_data_change import changes_everything
from alembic_pgpatterns.revisions.model import RevisionRun, Statement, is_strong, transactions
from alembic_pgpatterns.schema.model import Name


class HeldLock(NamedTuple):
    """A lock on a table, and the statement that took it."""

    table: Name
    mode: str
    since: Statement


Held = dict[Name, HeldLock]


class StrongLockThenMore(RevisionPattern):
    """A transaction that keeps a strong lock on one table while it works on another.

    Locks are held until the end of the transaction. Locking a second table, or reading or changing rows, before that
    makes the first table unavailable for longer; and two strong locks, one after the other, can deadlock with the
    application's own transactions.

    Change one table per revision, and separate slow work from work under a lock. Reported once per transaction: a
    warning if rows are changed under the lock, another table is rewritten or gets an exclusion constraint. If tables
    are only locked one after another it is an info and a guess: each lock is short, and two columns that belong
    together are better added together, unless the application's transactions lock the same tables the other way round.

    Not reported: another index that is built, a constraint that is checked, and an UPDATE of all rows under the lock.
    They have findings of their own, whose remedy takes them out of the transaction.
    """

    weighs_rows = True
    references = (LOCKS,)
    existing = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, title text);
    """
    bad = """
        def upgrade():
            op.add_column("author", sa.Column("name", sa.Text()))
            op.add_column("book", sa.Column("subtitle", sa.Text()))
            op.execute("UPDATE book SET subtitle = title WHERE id < 1000")
    """
    good = """
        def upgrade():
            op.execute("SET LOCAL lock_timeout = '5s'")
            op.add_column("author", sa.Column("name", sa.Text()))
    """

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """The first work under a lock that could be done elsewhere, per transaction."""
        for statements in transactions(run):
            finding = self._in_transaction(run, statements)
            if finding is not None:
                yield finding

    def _in_transaction(self, run: RevisionRun, statements: tuple[Statement, ...]) -> Finding | None:
        held: Held = {}
        others: list[Finding] = []
        for statement in statements:
            # Weaker ones let readers on.
            for lock in [lock for lock in held.values() if lock.mode == "ACCESS EXCLUSIVE"]:
                work = _changes(run, statement) or _works(run, statement, lock.table)
                if work:
                    return self._finding(run, statement, lock, work, Severity.WARNING)
            if _is_plain_build(statement):
                continue
            new = _strong(statement, held)
            if held and new:
                others.append(self._finding(run, statement, next(iter(held.values())), _locks(new), Severity.INFO))
            modes = new | _stronger(statement, held)
            held |= {name: HeldLock(name, mode, statement) for name, mode in modes.items()}
        return others[0] if others else None

    def _finding(
        self, run: RevisionRun, statement: Statement, lock: HeldLock, more: str, severity: Severity
    ) -> Finding:
        table, mode, since = lock
        finding = self.at(
            run,
            statement,
            f"{mode} on {table}, taken in {line(since)}, is held while {line(statement)} {more}",
            table,
            "Put it into a revision of its own; where revisions share a transaction, behind an autocommit block.",
            severity=severity,
        )
        # Two short locks in one transaction are a habit of a team, with one answer for all its revisions. Whether they
        # meet a transaction of the application that takes them in another order, no run of a revision can tell.
        return finding.but(cause="two locks", guess=True) if severity is Severity.INFO else finding


def _strong(statement: Statement, held: Held) -> dict[Name, str]:
    modes = {lock.root: lock.mode for lock in statement.locks if is_strong(lock.mode) and lock.root not in held}
    return {name: statement.mode(name) or mode for name, mode in modes.items()}


def _stronger(statement: Statement, held: Held) -> dict[Name, str]:
    """Tables that were locked before, and are more so now."""
    modes = {name: statement.mode(name) or lock.mode for name, lock in held.items()}
    return {name: mode for name, mode in modes.items() if mode != held[name].mode}


def _locks(new: dict[Name, str]) -> str:
    return "takes " + " and ".join(f"{mode} on {name}" for name, mode in new.items())


def _is_plain_build(statement: Statement) -> bool:
    """CREATE INDEX, whose lock is gone once it is built CONCURRENTLY, as blocking-index-build says."""
    return statement.command is not None and statement.command.kind == "create index"


def _works(run: RevisionRun, statement: Statement, held: Name) -> str:
    """A rewrite of another table, or the build of its exclusion constraint, which need their lock to the end.

    Scans (NOT VALID) and other builds (CONCURRENTLY) can leave the transaction.

    What a statement does to the locked table itself has a finding of its own.
    """
    others = (work.root for work in worked(statement, "rewrite", run) if work.root != held)
    rewritten = next((f"rewrites {name}" for name in others), "")
    if rewritten or constraint(statement, "exclusion") is None:
        return rewritten
    return next(
        (f"builds an index of {work.root}" for work in worked(statement, "build", run) if work.root != held), ""
    )


def _changes(run: RevisionRun, statement: Statement) -> str:
    command = statement.command
    kind = command.kind if command is not None else ""
    name = named(statement)
    if kind in ("update", "delete") and name is not None and busy(run, name) and not changes_everything(statement):
        return f"changes rows of {name}"
    return ""
