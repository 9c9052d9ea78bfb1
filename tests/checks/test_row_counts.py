"""The file with production's row counts: its forms, and the messages about other ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.checks.row_counts import read_rows
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.schema.model import Name

COUNTS = ((Name("", "book"), 12), (Name("app", "author"), 3_000_000))


@pytest.mark.parametrize(
    "text",
    [
        "book 12\n\napp.author 3000000\n",
        "book,12\napp.author,3000000",
        ' book | 12\n "app"."author" | 3000000 \n',
        '\n{"book": 12, "app.author": 3000000}',
    ],
)
def test_forms(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(text)
    assert read_rows(path) == COUNTS


@pytest.mark.parametrize("text", ["book", "book many", "book 1 2", '{"book": []}', "{", '{"book": null}'])
def test_other_forms(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(text)
    with pytest.raises(PgPatternsError) as error:
        read_rows(path)
    assert str(error.value).startswith(f"{path}: the row counts cannot be read: ")
    assert "Write one `table rows` per line, or a JSON object." in str(error.value)


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(PgPatternsError, match="the row counts cannot be read"):
        read_rows(tmp_path / "none")
