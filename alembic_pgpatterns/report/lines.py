"""Lines for people: wrapped at words with a hanging indent on a terminal, never in a pipe; inert in both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from alembic_pgpatterns.output.safe_text import inert

PIPE_WIDTH = 10_000
"""A line in a file is never folded: what follows the report may search in it."""
_WORD = re.compile(r"\s*\S+\s*")

NARROWEST = 20
"""Columns for the words of a line, however narrow the terminal is."""


@dataclass(frozen=True)
class Line:
    """One line: what stands before it, its words, and by how much its further lines are indented beyond ``lead``."""

    lead: str
    words: Text
    hanging: int = 0


def write_lines(lines: Iterable[Line], stream: TextIO) -> None:
    """Write the lines; in colour on a terminal that has not asked for none (NO_COLOR)."""
    console = _console(stream)
    for line in lines:
        for text in _wrapped(line, console.width):
            console.print(text)


def width_of(stream: TextIO) -> int:
    """The columns of a line, as `write_lines` writes it to the stream."""
    return _console(stream).width


def height(lines: Iterable[Line], width: int) -> int:
    """How many lines of a screen of this width they take."""
    return sum(1 if _fits(line, width) else len(list(_wrapped(line, width))) for line in lines)


def _fits(line: Line, width: int) -> bool:
    return len(line.lead) + cell_len(inert(line.words.plain)) <= width


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width, soft_wrap=True)


def _breaks(text: str, room: int) -> Iterator[int]:
    """Where to break the text, so that each part has at most ``room`` columns, or a single word."""
    used = 0
    for word in _WORD.finditer(text):
        if used and used + cell_len(word[0].rstrip()) > room:
            yield word.start()
            used = 0
        used += cell_len(word[0])


def _wrapped(line: Line, width: int) -> Iterator[Text]:
    words = line.words.copy()
    words.plain = inert(words.plain)  # of the same length, so that the styles stay in place
    first, further = line.lead, " " * (len(line.lead) + line.hanging)
    if len(first) + words.cell_len <= width:
        yield Text.assemble(first, words) if first else words
        return
    room = max(width - len(further), NARROWEST)
    # A word that is longer than a line stays whole, so that it can be copied.
    for number, part in enumerate(words.divide(_breaks(words.plain, room))):
        part.rstrip()
        yield Text.assemble(further if number else first, part)
