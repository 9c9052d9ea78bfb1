from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import History, Spot
from alembic_pgpatterns.schema.model import Location


class ModelDrift(HistoryPattern):
    """Models and revisions that describe different schemas.

    Tests that build the schema from the models then test another one than production has. ``alembic check`` compares
    tables, columns, types and which indexes there are; it does not see the predicate of a partial index, INCLUDE,
    operator classes, CHECK expressions, identity, generated columns or policies.

    Both were made on a server and read back from its catalog, so that PostgreSQL's own spelling is compared. The models
    count with all that autogenerate would enforce on them. Where the head accepts whatever the models write (a default
    that only the head has, a wider type), the finding is an info. Tables that the models do not name do not count, nor
    do rules and policies on tables whose models declare none.
    """

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
        """One finding an object and aspect."""
        for drift in history.drifts or ():
            place = drift.location or Location("models", 0)
            spot = Spot(drift.object, drift.table, place, place.line)
            advice = Advice("alembic revision --autogenerate, or correct the models.")
            severity = Severity.INFO if drift.harmless else None
            found = self.finding(spot, drift.message, advice, severity=severity)
            yield found if drift.location is not None else found.but(location=None)
