from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, Fold, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import History, Spot
from alembic_pgpatterns.schema.model import Location


class ModelDrift(HistoryPattern):
    """The models describe a different schema from the one that the revisions build.

    Tests that create the tables from the models then test a different schema from the one in production. The finding
    says whether ``alembic revision --autogenerate`` writes the missing revision, or what to do instead.

    ``alembic check`` compares tables, columns, types, foreign keys, and the columns of indexes and unique keys. This
    pattern also compares the predicate of a partial index, INCLUDE, operator classes, CHECK and EXCLUDE, labels of
    enums, identity and its options, sequences, generated columns, MATCH, comments of constraints and policies. Both
    schemas are created on a server and read from its catalog, so differences in spelling do not matter.

    If the database accepts everything that the models write (it has a default that the models lack, or a wider type),
    the finding is an info. Not reported: tables that the models do not name, and rules and policies on tables for which
    the models declare none.
    """

    fold = Fold.NONE
    references = (
        "https://alembic.sqlalchemy.org/en/latest/autogenerate.html#what-does-autogenerate-detect-and-what-does-it-not-detect",
    )
    bad = """
        # models.py
        Index("ix_job_due", "due", postgresql_where=text("done IS NULL"))
        # the revision
        op.create_index("ix_job_due", "job", ["due"])
    """
    good = """
        # models.py
        Index("ix_job_due", "due", postgresql_where=text("done IS NULL"))
        # the revision
        op.create_index("ix_job_due", "job", ["due"], postgresql_where=sa.text("done IS NULL"))
    """

    def detect(self, history: History) -> Iterator[Finding]:
        """One finding per object and aspect."""
        for drift in history.drifts or ():
            place = drift.location or Location("models", 0)
            spot = Spot(drift.object, drift.table, place, place.line)
            advice = Advice(drift.remedy or "alembic revision --autogenerate, or correct the models.")
            severity = Severity.INFO if drift.harmless else None
            # What makes no difference is said once, wherever it is; and what a table lacks on one side, with one way
            # out, once for the table: one revision, or one look at its model, settles it.
            cause = "harmless" if drift.harmless else f"{drift.table} {drift.side} {advice.text}" if drift.side else ""
            finding = self.finding(spot, drift.message, advice, severity=severity, cause=cause)
            yield finding if drift.location is not None else finding.but(location=None)
