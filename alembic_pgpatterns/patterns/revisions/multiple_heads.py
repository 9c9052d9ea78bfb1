from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Finding, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import History, Spot
from alembic_pgpatterns.schema.model import Location


class MultipleHeads(HistoryPattern):
    """More than one head, so ``alembic upgrade head`` fails.

    This happens when two branches of a repository each add a revision to the same parent and both are merged. The order
    in which the two run is then undefined.

    Not reported: heads of branches with labels, which are intended.
    """

    severity = Severity.ERROR
    references = ("https://alembic.sqlalchemy.org/en/latest/branches.html",)
    bad = """
        # b1.py                     # b2.py
        revision = "b1"             revision = "b2"
        down_revision = "a0"        down_revision = "a0"
    """
    good = """
        # b1.py                     # b2.py
        revision = "b1"             revision = "b2"
        down_revision = "a0"        down_revision = "b1"
    """

    def detect(self, history: History) -> Iterator[Finding]:
        """One finding for all of them."""
        # Branches with labels are to stay apart, and are run by `upgrade heads`.
        if len(history.heads) > 1 and not history.labelled:
            names = ", ".join(revision for revision, _ in history.heads)
            spot = Spot("heads", None, Location(history.heads[-1][1], 1), 1)
            remedy = Advice("Run alembic merge heads, or put one branch after the other: alembic pgrebase.")
            yield self.finding(spot, f"there are {len(history.heads)} heads: {names}", remedy)
