"""``# pgpatterns: ignore[table-rewrite] reason``, in a revision's file.

On a line of a statement, or alone on the line above it, it holds for that statement; in column one, where no statement
follows, for the whole file.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.revisions.model import Spot

_COMMENT = re.compile(r"#\s*pgpatterns:\s*ignore\[([^\]]*)\]\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One pattern's name in one comment. ``whole``: it holds for the file."""

    path: str
    line: int
    pattern: str
    whole: bool

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is at the place the comment speaks of."""
        place = finding.location
        if finding.pattern != self.pattern or place is None or place.path != self.path:
            return False
        last = finding.at.last_line if isinstance(finding.at, Spot) else place.line
        return self.whole or place.line - 1 <= self.line <= last


@dataclass(frozen=True, slots=True)
class Unsuppressed:
    """Findings that stay, how many were suppressed, and what is to be said of the comments."""

    findings: tuple[Finding, ...]
    suppressed: int
    complaints: tuple[str, ...]


def apply_suppressions(findings: Sequence[Finding], paths: Iterable[str], ran: frozenset[str]) -> Unsuppressed:
    """Leave out the findings that comments suppress, and name comments that suppress nothing.

    Args:
        findings: of the revisions in these files.
        paths: the files that were looked at.
        ran: the patterns that ran; a comment for another may have its use another time.
    """
    comments = [item for path in dict.fromkeys(paths) for item in read(path)]
    used = {item for item in comments for finding in findings if item.covers(finding)}
    kept = tuple(finding for finding in findings if not any(item.covers(finding) for item in used))
    complaints = [text for item in comments if (text := _complaint(item, used, ran)) is not None]
    return Unsuppressed(kept, len(findings) - len(kept), tuple(complaints))


def _complaint(item: Suppression, used: set[Suppression], ran: frozenset[str]) -> str | None:
    where = f"{item.path}:{item.line}: ignore[{item.pattern}]"
    if item.pattern not in registry():
        return f"{where}: there is no pattern of that name"
    if item not in used and item.pattern in ran:
        return f"{where} suppresses nothing"
    return None


def read(path: str) -> list[Suppression]:
    """The comments of a file; none of one that cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (OSError, UnicodeDecodeError, tokenize.TokenError, SyntaxError):
        return []
    found = []
    for token in tokens:
        comment = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if comment is not None:
            whole = token.start[1] == 0
            names = (name.strip() for name in comment[1].split(","))
            found += [Suppression(path, token.start[0], name, whole) for name in names if name]
    return found
