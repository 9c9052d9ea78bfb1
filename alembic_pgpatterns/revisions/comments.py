"""The comments in a revision's file."""

from __future__ import annotations

import io
import tokenize

from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.output.places import file_at


def comments(path: str, words: str) -> tuple[tuple[int, int, str], ...]:
    """The comments of a file with some words, each with its line and column; none if the file cannot be read.

    Args:
        path: of the file.
        words: what the comments contain.
    """
    try:
        source = read_regular(file_at(path))
        if words.encode() not in source:
            return ()
        # Tokens and not lines: in a string the same text is no comment. Of bytes, in the encoding that the file names.
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except (OSError, UnicodeDecodeError, tokenize.TokenError, SyntaxError):
        return ()
    return tuple(
        (*item.start, item.string) for item in tokens if item.type == tokenize.COMMENT and words in item.string
    )
