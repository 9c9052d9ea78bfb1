"""The patterns of statements on a workload: which run, what they see, and what a comment suppresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.report_model import Gathered
from alembic_pgpatterns.findings.statements import check_statements, gather_statements
from alembic_pgpatterns.patterns import Finding, Pattern
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.statements.offset_paging import OffsetPaging
from alembic_pgpatterns.patterns.statements.query_without_index import QueryWithoutIndex
from alembic_pgpatterns.revisions.model import Spot
from alembic_pgpatterns.schema.model import Location, Name, Schema, Table
from alembic_pgpatterns.workload.model import SOURCE, Recorded, Workload

BOTH = ("offset-paging", "query-without-index")
SCHEMA = Schema("database", ())
STATEMENTS = tuple(Recorded(name, f"SELECT {name}", "select", calls) for name, calls in (("1", 3), ("2", 4)))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the application, in which both patterns report line 2 and line 4, with one fingerprint."""
    path = tmp_path / "app.py"
    path.write_text("#\nx = 1  # pgpatterns: ignore[offset-paging]\n\nx = 2\n")

    def detect(self: Pattern, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        assert (workload.statements, schema) == (STATEMENTS, SCHEMA)
        for line in (2, 4):
            place = Location(str(path), line)
            yield self.finding(Spot("query", None, place, line), "", location=place)
        yield self.finding(Spot("elsewhere", None, place, 4), "").but(location=None)

    for pattern in (OffsetPaging, QueryWithoutIndex):
        monkeypatch.setattr(pattern, "detect", detect)
    return path


def test_a_comment_suppresses_and_the_second_of_the_same_gets_a_number(source: Path) -> None:
    settings = Settings(root=source.parent, select=("offset-paging",))
    report = check_statements(Workload(STATEMENTS), settings, SCHEMA)
    assert [item.fingerprint for item in report.findings] == ["offset-paging elsewhere", "offset-paging query #2"]
    assert report.suppressed == 1
    assert report.facts == {"statements": 2, "calls": 7}


def test_the_baseline_accepts_and_forgets_only_what_ran(source: Path) -> None:
    entries = "offset-paging query #2\noffset-paging gone\nmissing-primary-key public.gone\n"
    (source.parent / "accepted.txt").write_text(entries)
    settings = Settings(root=source.parent, select=("offset-paging",), baseline=Path("accepted.txt"))
    report = check_statements(Workload(STATEMENTS), settings, SCHEMA)
    assert [item.fingerprint for item in report.accepted] == ["offset-paging query #2"]
    assert [item.fingerprint for item in report.findings] == ["offset-paging elsewhere"]
    assert report.stale == ("offset-paging gone",)


@pytest.mark.parametrize(("origin", "ran"), [(SOURCE, {"query-without-index"}), ("pytest", set(BOTH))])
def test_the_source_alone_is_enough_for_some_patterns(origin: str, ran: set[str], source: Path) -> None:
    earlier = MissingPrimaryKey().finding(Table(Name("public", "t")), "")
    gathered = Gathered([earlier], suppressed=2)
    gather_statements(Workload(STATEMENTS, origin), Settings(select=(*BOTH, "missing-primary-key")), SCHEMA, gathered)
    assert gathered.findings[0] is earlier
    assert {item.pattern for item in gathered.findings[1:]} == ran
    assert gathered.suppressed == 2 + ("offset-paging" in ran)


def test_a_pattern_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, workload: Any, schema: Any) -> Iterator[Finding]:
        raise ValueError("no")

    monkeypatch.setattr(OffsetPaging, "detect", broken)
    with pytest.raises(PgPatternsError) as error:
        check_statements(Workload(STATEMENTS), Settings(select=("offset-paging",)))
    assert str(error.value) == (
        "The pattern offset-paging failed: ValueError: no. This is a mistake in the pattern; please report it. Until "
        "it is fixed, leave the pattern out: --ignore offset-paging."
    )
