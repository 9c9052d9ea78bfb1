"""The file with production's row counts: its forms, and the messages about other ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.checks.row_counts import read_rows, with_rows
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Name, Schema, Table

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
    assert str(error.value).endswith(
        ". Write one `table rows` per line, or a JSON object. PostgreSQL has the numbers in pg_class.reltuples."
    )


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(PgPatternsError, match="the row counts cannot be read"):
        read_rows(tmp_path / "none")


def test_only_quotes_are_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text('X."XX" 3\n')
    assert read_rows(path) == ((Name("X", "XX"), 3),)


def test_names_of_other_languages(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes('"Bücher" 3\n'.encode())
    assert read_rows(path) == ((Name("", "Bücher"), 3),)


def test_each_run_gets_the_rows_by_the_full_names_of_its_tables(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("book 12\napp.author 7\nnew 1\n")
    app_book, public_book, author = Name("app", "book"), Name("public", "book"), Name("app", "author")
    runs = [
        RevisionRun("a1", (), "a1.py", (), Schema("database", (Table(name),)), Schema("database", ()))
        for name in (app_book, public_book)
    ]
    first, second = with_rows(runs, Settings(root=tmp_path, stats=Path("rows")))
    assert first.rows == ((app_book, 12), (author, 7), (Name("public", "new"), 1))
    assert second.rows == ((public_book, 12), (author, 7), (Name("public", "new"), 1))
    assert (first.revision, first.before) == ("a1", runs[0].before)
    assert with_rows(runs, Settings(root=tmp_path)) == tuple(runs)
