"""Times of one table, which the application compares: all of them get a time zone, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alembic_pgpatterns.fix.plan import Fix, Left
from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.patterns.types.timestamp_without_time_zone import TimestampWithoutTimeZone


def why_not_alone(fix: Fix, left: Iterable[Left]) -> str | None:
    """Why a time must stay as it is: Python refuses to compare a time that has a zone with one that has none.

    Args:
        fix: one of the fixes.
        left: what this run does not change.
    """
    tables = {finding.table for finding in fix.findings if finding.pattern == TimestampWithoutTimeZone.name}
    others = [
        item.finding.object
        for item in left
        if item.finding.pattern == TimestampWithoutTimeZone.name and item.finding.table in tables
    ]
    if not others:
        return None
    return (
        f"{listed(others)} of the same table stays without a time zone, and Python cannot compare "
        "the two: change them together"
    )


def without_halves(fixes: Sequence[Fix], left: Sequence[Left]) -> tuple[list[Fix], list[Left]]:
    """The fixes that may be carried out beside what is left, and what is left because of the others."""
    remaining = list(fixes)
    more: list[Left] = []
    while True:
        reasons = [(fix, why_not_alone(fix, [*left, *more])) for fix in remaining]
        halves = [Left(finding, reason) for fix, reason in reasons if reason is not None for finding in fix.findings]
        if not halves:
            return remaining, more
        more += halves
        remaining = [fix for fix, reason in reasons if reason is None]
