from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from alembic_pgpatterns.patterns import Finding, Fold, HistoryPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Drift, History, Spot
from alembic_pgpatterns.schema.model import Location, Name

FEW_TABLES = 3
"""Tables up to which what one side lacks is said for each."""


class ModelDrift(HistoryPattern):
    """The models describe a different schema from the one that the revisions build.

    Tests that create the tables from the models then test a different schema from the one in production. The finding
    says whether ``alembic revision --autogenerate`` writes the missing revision, or what to do instead.

    ``alembic check`` compares tables, columns, types, foreign keys, and the columns of indexes and unique keys. This
    pattern also compares the predicate of a partial index, INCLUDE, operator classes, CHECK and EXCLUDE, labels of
    enums, identity and its options, sequences, generated columns, MATCH, comments of constraints and policies. Both
    schemas are created on a server and read from its catalog, so differences in spelling do not matter.

    If the database accepts everything that the models write (it has a default that the models lack, a wider type, or
    another comment), the finding is an info. A guess: a primary key that the head lacks, and NOT NULL of its
    columns, which missing-primary-key says.

    Not reported: tables that the models do not name, and rules and policies on tables for which the models declare
    none.
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
        behind = _far_behind(history.drifts or ())
        for drift in history.drifts or ():
            place = drift.location or Location("models", 0)
            spot = Spot(drift.object, drift.table, place, place.line)
            advice = _advice(drift)
            severity = Severity.INFO if drift.harmless else None
            finding = self.finding(spot, drift.message, advice, severity=severity, cause=_cause(drift, behind))
            yield finding.but(guess=drift.restated, location=finding.location if drift.location is not None else None)


def _advice(drift: Drift) -> Advice:
    return Advice(drift.remedy or "alembic revision --autogenerate, or correct the models.")


def _far_behind(drifts: Iterable[Drift]) -> frozenset[tuple[str, str]]:
    """The sides that lack something in many tables, with the way out: nobody keeps that side up to date any more."""
    tables: dict[tuple[str, str], set[Name | None]] = defaultdict(set)
    for drift in drifts:
        if drift.side and not drift.harmless:
            tables[drift.side, _advice(drift).text].add(drift.table)
    return frozenset(key for key, names in tables.items() if len(names) > FEW_TABLES)


def _cause(drift: Drift, behind: frozenset[tuple[str, str]]) -> str:
    """What is said once.

    What makes no difference, wherever it is; what differs in the same way in several tables, as a mixin's column does;
    and what a table lacks on one side, with one way out: one revision, or one look at its model, settles it. Where a
    side is far behind, one decision settles all of it.
    """
    if drift.harmless or not drift.side:
        return "harmless" if drift.harmless else drift.values
    way_out = _advice(drift).text
    return f"{'' if (drift.side, way_out) in behind else drift.table} {drift.side} {way_out}"
