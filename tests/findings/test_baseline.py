"""The baseline file: what is written is read again, whatever the identifiers hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline, escaped
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
    with pytest.raises(
        PgPatternsError, match=r"folder\.txt: the baseline cannot be written: No such file or directory$"
    ):
        Baseline().write(tmp_path / "no/such/folder.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "fingerprint", "reason"),
    [
        ("a-pattern public.t", "a-pattern public.t", None),
        ("  a-pattern public.t  ", "a-pattern public.t", None),
        ("a-pattern public.t  # it is small", "a-pattern public.t", "it is small"),
        ("a-pattern public.t   #  two  # signs ", "a-pattern public.t", "two  # signs"),
        ("a-pattern public.t # one space", "a-pattern public.t # one space", None),
        ('a-pattern "a  # b"', 'a-pattern "a  # b"', None),
        ('a-pattern "a  # b"  # why  # so', 'a-pattern "a  # b"', "why  # so"),
        ('a-pattern "a  # b"  # why', 'a-pattern "a  # b"', "why"),
        ('a-pattern "a  # b  # c"."d  # e"  # why "so"', 'a-pattern "a  # b  # c"."d  # e"', 'why "so"'),
    ],
)
def test_reasons(line: str, fingerprint: str, reason: str | None, tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_text(f"{line}\n")
    assert Baseline.read(path) == Baseline({fingerprint: reason})


def test_windows_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_bytes("\ufeff# heads: a1 ,b2, \r\na-pattern public.t  # why\r\n".encode())
    assert Baseline.read(path) == Baseline({"a-pattern public.t": "why"}, ("a1", "b2"))


def test_the_text_of_a_file() -> None:
    lines = Baseline({"b x": None, "a y": "why"}, ("h1", "h2")).text().splitlines()
    assert lines[2:] == ["# heads: h1, h2", "a y  # why", "b x"]
    assert all(line.startswith("# ") for line in lines[:2])
    assert "--write-baseline" in lines[1]
    assert Baseline().text().splitlines() == lines[:2]


def test_what_a_new_baseline_keeps() -> None:
    old = Baseline({"a x": "why", "b y": "so", "c z": None}, ("old",))
    new = old.covering(["a x", "d\nw"], ["h2", "h1"], keep=["b y"])
    assert new == Baseline({"a x": "why", "d\\nw": None, "b y": "so"}, ("h1", "h2"))
    assert old.stale(["a x", "c z"]) == ("b y",)
    assert new.accepts("d\nw")
    assert not new.accepts("c z")


@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "=======", ">>>>>>> main", "||||||| base"])
def test_an_unfinished_merge_is_refused(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_text(f"a-pattern public.t\n{mark}\n")
    with pytest.raises(PgPatternsError) as error:
        Baseline.read(path)
    assert str(error.value) == (
        f"{path}:2: the baseline has an unfinished merge ({mark[:7]}). Keep the lines of both sides, and delete the "
        "markers."
    )


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_text("# format: 1\na-pattern public.t\n")
    assert Baseline.read(path) == Baseline({"a-pattern public.t": None})
    path.write_text("\n# format: 2\n")
    with pytest.raises(PgPatternsError) as error:
        Baseline.read(path)
    assert str(error.value) == (
        f"{path}:2: the baseline has format 2, and this version of alembic-pgpatterns knows format 1: upgrade it."
    )


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_bytes(b"a-pattern \xff\n")
    with pytest.raises(PgPatternsError, match=r"baseline\.txt: the baseline cannot be read: .*utf-8"):
        Baseline.read(path)


def test_the_message_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    path.write_text("whatever\n")
    with pytest.raises(PgPatternsError) as error:
        Baseline.read(path)
    assert str(error.value) == f"{path}:1: not a fingerprint (`pattern object`): 'whatever'"


def test_a_written_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "baseline.txt"
    written = Baseline({'a-pattern "x\\\\y\\nz"': "why"}, ("h1",))
    written.write(path)
    assert Baseline.read(path) == written
    assert written.accepts('a-pattern "x\\y\nz"')


def test_a_fingerprint_is_on_one_line() -> None:
    assert escaped('p "a\\b\r\nc"') == 'p "a\\\\b\\r\\nc"'
