"""Times of one table change together, or not at all."""

from __future__ import annotations

from alembic_pgpatterns.fix.plan import Fix, Left
from alembic_pgpatterns.fix.time_pairs import without_halves
from alembic_pgpatterns.patterns import Finding, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.names import Name

NAIVE = "timestamp-without-time-zone"


def time(table: str, column: str, pattern: str = NAIVE) -> Finding:
    name = f"public.{table}.{column}"
    return Finding(pattern, Severity.WARNING, name, "", f"{pattern} {name}", Name("public", table))


def fix(*findings: Finding) -> Fix:
    return Fix(findings, Advice(""), (), ())


def test_what_is_left_keeps_the_others_of_its_table_and_their_group() -> None:
    alone, same = fix(time("free", "at")), fix(time("seen", "till"))
    text, group = fix(time("seen", "name", "varchar-length")), fix(time("seen", "by"), time("key", "by"))
    beside = fix(time("key", "at"))
    fixes, left = without_halves([beside, alone, same, text, group], [Left(time("seen", "at"), "a view")])
    assert fixes == [alone, text]
    assert [item.finding.object for item in left] == [
        "public.seen.till", "public.seen.by", "public.key.by", "public.key.at",
    ]  # fmt: skip
    assert left[0].reason.startswith("public.seen.at of the same table stays without a time zone")
    assert left[-1].reason.startswith("public.key.by of the same table")
    assert without_halves([alone, same], [Left(time("seen", "name", "varchar-length"), "")]) == ([alone, same], [])
