"""The baseline file: what is written is read again, whatever the identifiers hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.schema.names import quote

identifiers = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
reasons = st.none() | st.from_regex(r"[a-z][a-z #\"]{0,20}[a-z]", fullmatch=True)


@given(entries=st.dictionaries(identifiers.map(lambda name: f"some-pattern {quote(name)}"), reasons, max_size=8))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, entries: dict[str, str | None]) -> None:
    path = tmp_path_factory.mktemp("baseline") / "baseline.txt"
    written = Baseline().covering(entries, ["b", "a"])
    written.write(path)
    read = Baseline.read(path)
    assert read == Baseline(written.entries, ("a", "b"))
    assert all(read.accepts(fingerprint) for fingerprint in entries)
    assert read.stale(entries) == ()


def test_absent_is_not_empty(tmp_path: Path) -> None:
    assert Baseline.read(tmp_path / "none.txt") is None
    (tmp_path / "empty.txt").write_text("")
    assert Baseline.read(tmp_path / "empty.txt") == Baseline()


def test_a_line_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_text("# fine\n\nwhatever\n")
    with pytest.raises(PgPatternsError, match=r"baseline\.txt:3"):
        Baseline.read(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PgPatternsError, match="cannot be written"):
        Baseline().write(tmp_path / "no/such/folder.txt")
    assert list(tmp_path.iterdir()) == []
