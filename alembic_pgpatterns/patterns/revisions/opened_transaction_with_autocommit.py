from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import History, Spot


class OpenedTransactionWithAutocommit(HistoryPattern):
    """env.py opens a transaction before Alembic does, so autocommit blocks do not work.

    Alembic did not start the transaction and cannot commit it: ``autocommit_block()`` fails with an AssertionError, or
    waits for ever with some drivers. In SQLAlchemy 2 a statement on the connection before ``context.configure()`` also
    starts a transaction.

    It is an error if a revision has an autocommit block, otherwise a warning for the first one that will.
    """

    severity = Severity.WARNING
    of_scope = True
    references = ("https://github.com/sqlalchemy/alembic/issues/1460",)
    bad = """
        with engine.begin() as connection:
            context.configure(connection=connection)
            context.run_migrations()
    """
    good = """
        with engine.connect() as connection:
            context.configure(connection=connection)
            with context.begin_transaction():
                context.run_migrations()
    """

    def detect(self, history: History) -> Iterator[Finding]:
        """One finding for the call in env.py."""
        environment = next((e for e in history.environments if e.opened_transaction), None)
        if environment is None:
            return
        spot = Spot("env.py", None, environment.location, environment.location.line)
        used = history.uses_autocommit
        yield self.finding(
            spot,
            "a transaction was open on the connection before context.configure(): autocommit blocks fail"
            + (f", as in {used[0]}" if used else ", which concurrent index builds need"),
            Advice(
                "In env.py, write engine.connect() instead of engine.begin(), connection.commit() after statements of "
                "your own, and context.begin_transaction() around context.run_migrations()."
            ),
            severity=Severity.ERROR if used else None,
        )
