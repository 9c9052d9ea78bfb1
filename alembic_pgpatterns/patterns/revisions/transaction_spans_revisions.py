from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_pgpatterns.patterns import Finding, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.advice_notes import SAFE_LOCK
from alembic_pgpatterns.revisions.model import History, RevisionRun, Spot, is_strong


class TransactionSpansRevisions(HistoryPattern):
    """All revisions of a run share one transaction, so locks of the first are held until the last is done.

    That is Alembic's default. ``SET LOCAL`` in one revision also affects the next, and a failure in the last one undoes
    all.

    With ``transaction_per_migration=True`` each revision commits on its own. An advisory lock that env.py takes with
    ``pg_advisory_xact_lock``, so that one run goes on at a time, ends with the first commit; the fix says so.

    Reported if at least two of the checked revisions lock tables that existed before.
    """

    severity = Severity.INFO
    of_scope = True
    references = ("https://alembic.sqlalchemy.org/en/latest/api/runtime.html",)
    bad = """
        context.configure(connection=connection, target_metadata=target_metadata)
    """
    good = """
        context.configure(
            connection=connection, target_metadata=target_metadata, transaction_per_migration=True
        )
    """

    def detect(self, history: History) -> Iterator[Finding]:
        """One finding for the call in env.py."""
        locking = _sharing(history.runs)
        environment = next((e for e in history.environments if not e.transaction_per_migration), None)
        if environment is not None and len(locking) > 1:
            spot = Spot("env.py", None, environment.location, environment.location.line)
            guarded = any(statement.advisory_lock for run in history.runs for statement in run.statements)
            guard = f", but the first commit then releases pg_advisory_xact_lock: {SAFE_LOCK}" if guarded else ""
            yield self.finding(
                spot,
                f"{len(locking)} of the checked revisions lock existing tables, and share one transaction when they "
                "run together: each lock is held until the last is done",
                Advice(f"In env.py: context.configure(…, transaction_per_migration=True){guard}"),
            )


def _sharing(runs: Sequence[RevisionRun]) -> set[str]:
    """The most revisions that lock existing tables in one transaction. An autocommit block commits what came before."""
    transactions: list[set[str]] = [set()]
    for run in runs:
        for statement in run.statements:
            if not statement.transactional:
                transactions.append(set())
            elif any(is_strong(lock.mode) for lock in statement.locks):
                transactions[-1].add(run.revision)
    return max(transactions, key=len)
