"""Lines for people: where they are folded on a terminal, and that nothing in them is read as markup."""

from __future__ import annotations

import io
import re

import pytest
from rich.text import Text

from alembic_pgpatterns.report.lines import Line, write_lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {"TERM": "xterm", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def plain(line: Line, stream: io.StringIO) -> list[str]:
    write_lines([line], stream)
    return re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()).splitlines()


def test_a_line_that_just_fits_is_not_folded(terminal: Terminal) -> None:
    assert plain(Line("--", Text(f"{'a' * 18} {'b' * 19}"), 2), terminal) == [f"--{'a' * 18} {'b' * 19}"]


def test_a_line_is_folded_at_the_last_word_that_fits(terminal: Terminal) -> None:
    words = Text(f"{'a' * 17}  {'b' * 17} {'c' * 17} {'d' * 18} {'e' * 50} f")
    assert plain(Line("--", words, 2), terminal) == [
        f"--{'a' * 17}  {'b' * 17}",
        f"    {'c' * 17} {'d' * 18}",
        f"    {'e' * 50}",
        "    f",
    ], "as many columns as there are; a word that does not fit stays whole"


def test_wide_characters_take_two_columns(terminal: Terminal) -> None:
    assert plain(Line("", Text(f"{'本' * 10} {'日' * 10}")), terminal) == ["本" * 10, "日" * 10]
    assert plain(Line("", Text(f"{'本' * 10} {'日' * 9}")), Terminal()) == [f"{'本' * 10} {'日' * 9}"]


def test_words_have_twenty_columns_however_deep_they_are(terminal: Terminal) -> None:
    assert plain(Line(" " * 30, Text(f"{'a' * 9} {'b' * 10} c")), terminal) == [
        f"{' ' * 30}{'a' * 9} {'b' * 10}",
        f"{' ' * 30}c",
    ]


def test_nothing_in_a_line_is_markup(terminal: Terminal) -> None:
    """Neither names in brackets, nor names of emoji, nor numbers and paths, which rich would colour."""
    words = "[bold]x[/bold] :smile: 42 'a' /b/c"
    write_lines([Line("[red]", Text(words)), Line("", Text(words))], terminal)
    assert terminal.getvalue() == f"[red]{words}\n{words}\n"


def test_a_pipe_gets_whole_lines() -> None:
    long = " ".join(["word"] * 1900)
    assert plain(Line("  ", Text(long, "bold")), io.StringIO()) == [f"  {long}"]
