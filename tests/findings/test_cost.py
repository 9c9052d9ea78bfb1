"""What a finding costs, which is the order of the report."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.findings.cost import Cost, cost_of, rank
from alembic_pgpatterns.patterns import Severity
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.schema.model import Name, Table


@pytest.mark.parametrize(
    ("pattern", "cost"),
    [
        ("public-grant", Cost.DATA),
        ("policy-evaluated-per-row", Cost.SPEED),
        ("table-rewrite", Cost.OUTAGE),
        ("integer-primary-key", Cost.OUTAGE),
        ("redundant-index", Cost.SPEED),
        ("nullable-unique", Cost.DATA),
        ("extension-in-public", Cost.STYLE),
        ("varchar-length", Cost.STYLE),
        ("unnamed-constraint", Cost.STYLE),
        ("offset-paging", Cost.SPEED),
        ("a-pattern-of-the-user", Cost.SPEED),
    ],
)
def test_by_name_then_by_folder(pattern: str, cost: Cost) -> None:
    assert cost_of(pattern) is cost


def test_names_for_people() -> None:
    assert list(map(str, sorted(Cost))) == ["data and security", "outages", "speed", "style"]


def test_infos_last_then_the_cost_then_the_severity() -> None:
    data = MissingPrimaryKey().finding(Table(Name("public", "t")), "")
    speed = data.but(pattern="redundant-index")
    expected = [
        data.but(severity=Severity.ERROR),
        data.but(severity=Severity.WARNING),
        speed.but(severity=Severity.ERROR),
        data.but(severity=Severity.INFO),
    ]
    mixed = [expected[number] for number in (3, 1, 0, 2)]
    assert sorted(mixed, key=rank) == expected
