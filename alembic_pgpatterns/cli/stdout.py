"""Standard output that is closed, a pipe that ends early, on a full disk, or lacks characters in its encoding."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from alembic_pgpatterns.errors import PgPatternsError


@contextmanager
def standard_output(stream: TextIO | None, for_programs: bool = False) -> Iterator[TextIO]:
    """A stream that accepts every character: in UTF-8 for programs, else with escapes for those not in its encoding.

    A closed stream ignores everything, and so does a pipe after its reader ended, as in `… | head`.

    Raises:
        PgPatternsError: nothing more can be written, for example because the disk is full.
    """
    if stream is None:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            yield nowhere
        return
    _take_every_letter(stream, for_programs)
    try:
        yield stream
        stream.flush()
    # No error: the reader has what it wants.
    except BrokenPipeError:
        _drop_the_rest(stream)
    except OSError as error:
        _drop_the_rest(stream)
        raise PgPatternsError(f"standard output: the report cannot be written: {error.strerror or error}") from error


_IN_ASCII = "alembic_pgpatterns.in_ascii"
_LIKE = {"…": "...", "·": "*"}
"""What our own texts have beyond ASCII, and what is read the same."""


def _like(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: the characters of our texts by others, and the rest as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    escaped = (_LIKE.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return "".join(escaped), error.end


codecs.register_error(_IN_ASCII, _like)


def _take_every_letter(stream: TextIO, for_programs: bool) -> None:
    if (stream.encoding or "").lower().replace("-", "") != "utf8" and hasattr(stream, "reconfigure"):
        if for_programs:
            stream.reconfigure(encoding="utf-8")
        else:
            stream.reconfigure(errors=_IN_ASCII)


def _drop_the_rest(stream: TextIO) -> None:
    """Drop what is buffered: writing it would fail again when Python ends, and change the exit code."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
