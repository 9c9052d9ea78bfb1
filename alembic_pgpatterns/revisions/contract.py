"""The mark of a contract revision, which waits until no process runs the code of the release before."""

from __future__ import annotations

import re

from alembic_pgpatterns.revisions.comments import comments

MARK = "# pgpatterns: contract"
PHASES = "pgpatterns_phases"
"""In a Config's attributes: whether this run writes contract revisions, in place of the setting."""
COMMENT = re.compile(r"#\s*pgpatterns:\s*contract\b")


def is_contract(path: str) -> bool:
    """Whether a revision's file has the mark.

    Args:
        path: of the file; False if it cannot be read.
    """
    return any(COMMENT.match(text) for _, _, text in comments(path, "pgpatterns:"))
