"""Comments that suppress findings: where they apply, and what is said about those that suppress nothing."""

from __future__ import annotations

from pathlib import Path

from alembic_pgpatterns.findings.suppressions import Suppression, apply_suppressions, read
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.revisions.model import Spot
from alembic_pgpatterns.schema.model import Location, Name, Table

NAME = MissingPrimaryKey.name


def finding(path: str, line: int, last: int | None = None) -> Finding:
    table = Table(Name("public", "t"))
    at = Spot("t", table.name, Location(path, line), last) if last is not None else table
    return MissingPrimaryKey().finding(at, "t has no primary key", Advice("Think.")).but(location=Location(path, line))


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "revision.py"
    path.write_text(
        "# pgpatterns: ignore[a]\n"
        "def upgrade():\n"
        "    #pgpatterns:ignore[ b , c,] why\n"
        "    x = 1  # pgpatterns: ignore[d]\n"
        "    y = '# pgpatterns: ignore[e]'  # ignore[f]\n"
    )
    assert read(str(path)) == [
        Suppression(str(path), 1, "a", True),
        Suppression(str(path), 3, "b", False),
        Suppression(str(path), 3, "c", False),
        Suppression(str(path), 4, "d", False),
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert read(str(tmp_path / "none.py")) == []
    for number, content in enumerate((b"x = '\xff'\n", b"x = (\n", b"  x\n y\n")):
        path = tmp_path / f"{number}.py"
        path.write_bytes(content)
        assert read(str(path)) == []


def test_which_places_a_comment_covers() -> None:
    comment = Suppression("r.py", 5, NAME, False)
    covered = [line for line in range(1, 10) if comment.covers(finding("r.py", line))]
    assert covered == [5, 6]
    assert comment.covers(finding("r.py", 3, last=5))
    assert not comment.covers(finding("r.py", 3, last=4))
    assert not comment.covers(finding("other.py", 5))
    assert not comment.covers(finding("r.py", 5).but(location=None))
    assert not Suppression("r.py", 5, "unindexed-foreign-key", False).covers(finding("r.py", 5))
    assert Suppression("r.py", 5, NAME, True).covers(finding("r.py", 1))


def test_what_remains_and_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "revision.py"
    path.write_text(
        f"x = 1  # pgpatterns: ignore[{NAME}]\n\n\n"
        f"x = 2  # pgpatterns: ignore[{NAME}, no-such-pattern, unindexed-foreign-key]\n"
    )
    first, second = finding(str(path), 1), finding(str(path), 3)
    result = apply_suppressions([first, second], [str(path), str(path)], frozenset({NAME}))
    assert result.findings == (second,)
    assert result.suppressed == 1
    assert result.complaints == (
        f"{path}:4: ignore[{NAME}] suppresses nothing",
        f"{path}:4: ignore[no-such-pattern]: there is no pattern of that name",
    )
    assert apply_suppressions([first], [str(path)], frozenset()).complaints == result.complaints[1:]
    assert apply_suppressions([first], [], frozenset({NAME})).findings == (first,)
