"""Patterns of revisions: which findings are about a revision, what a file suppresses, and a pattern that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.revision_patterns import about_a_revision, run_history_patterns, run_revision_patterns
from alembic_pgpatterns.patterns import Finding, Pattern
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.revisions.missing_lock_timeout import MissingLockTimeout
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.revisions.model import Drift, History, RevisionRun, Spot
from alembic_pgpatterns.schema.model import Location, Name, Schema, Table

BOOK = Name("public", "book")
EMPTY = Schema("database", ())


def run(path: str, revision: str = "a1") -> RevisionRun:
    return RevisionRun(revision, (), path, (), EMPTY, EMPTY)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> TableRewrite:
    """A pattern that reports line 2 of each revision."""

    def detect(self: Pattern, seen: RevisionRun) -> Iterator[Finding]:
        place = Location(seen.path, 2)
        yield self.finding(Spot("public.book", BOOK, place, 2), "", location=place, detail=seen.revision)

    monkeypatch.setattr(TableRewrite, "detect", detect)
    return TableRewrite()


def test_each_revision_is_checked_and_its_file_suppresses(always: TableRewrite, tmp_path: Path) -> None:
    suppressing, other = tmp_path / "a1.py", tmp_path / "b2.py"
    suppressing.write_text("# a revision\nx = 1  # pgpatterns: ignore[table-rewrite] it is small\n")
    other.write_text("#\nx = 1\ny = 2  # pgpatterns: ignore[table-rewrite, missing-lock-timeout]\n")
    runs = [run(str(suppressing)), run(str(other), "b2")]
    result = run_revision_patterns([always, ModelDrift(), MissingPrimaryKey()], runs)
    assert [item.fingerprint for item in result.findings] == ["table-rewrite public.book b2"]
    assert result.suppressed == 1
    # A comment for a pattern that did not run may be needed in another run.
    assert result.complaints == (f"{other}:3: ignore[table-rewrite] suppresses nothing",)


def test_the_history_is_for_its_own_patterns(always: TableRewrite) -> None:
    history = History(drifts=(Drift(BOOK, "public.book", "book differs"),))
    found = run_history_patterns([always, MissingPrimaryKey(), ModelDrift()], history)
    assert [item.fingerprint for item in found] == ["model-drift public.book"]


@pytest.mark.parametrize(
    ("pattern", "about"),
    [
        ("table-rewrite", True),
        ("model-drift", False),
        ("transaction-spans-revisions", True),
        ("missing-primary-key", False),
        ("a-pattern-that-is-gone", False),
    ],
)
def test_what_is_about_a_revision(pattern: str, about: bool) -> None:
    finding = MissingPrimaryKey().finding(Table(BOOK), "").but(pattern=pattern)
    assert about_a_revision(finding) is about


def test_a_pattern_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, seen: Any) -> Iterator[Finding]:
        raise KeyError("x")

    monkeypatch.setattr(MissingLockTimeout, "detect", broken)
    with pytest.raises(PgPatternsError) as error:
        run_revision_patterns([MissingLockTimeout()], [run("a1.py")])
    assert str(error.value) == (
        "The pattern missing-lock-timeout failed: KeyError: 'x'. This is a mistake in the pattern; please report it. "
        "Until it is fixed, leave the pattern out: --ignore missing-lock-timeout."
    )
