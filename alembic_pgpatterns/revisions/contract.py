"""The mark of a contract revision, which waits until no process runs the code of the release before."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

MARK = "# pgpatterns: contract"
PHASES = "pgpatterns_phases"
"""In a Config's attributes: whether this run writes contract revisions, in place of the setting."""
COMMENT = re.compile(r"#\s*pgpatterns:\s*contract\b")


def is_contract(path: str) -> bool:
    """Whether a revision's file has the mark.

    Args:
        path: of the file; False if it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        if "pgpatterns:" not in text:
            return False
        # Tokens and not lines: in a string the same text is no comment.
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return any(token.type == tokenize.COMMENT and COMMENT.match(token.string) for token in tokens)
    except (OSError, UnicodeDecodeError, tokenize.TokenError, SyntaxError):
        return False
