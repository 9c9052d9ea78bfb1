"""Comments in a revision's file that suppress findings: ``# pgpatterns: ignore[table-rewrite] reason``.

On a line of a statement, or alone on the line above it, the comment applies to that statement. At the start of a line
that no statement follows, it applies to the whole file.

``# pgpatterns: contract`` says that a revision waits until no old code runs, so nothing is reported that only old code
suffers from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.patterns.revisions.drop_under_running_code import DropUnderRunningCode
from alembic_pgpatterns.patterns.revisions.rename_under_running_code import RenameUnderRunningCode
from alembic_pgpatterns.revisions.comments import comments
from alembic_pgpatterns.revisions.contract import COMMENT as CONTRACT
from alembic_pgpatterns.revisions.model import Spot

OF_OLD_CODE = (DropUnderRunningCode.name, RenameUnderRunningCode.name)
_COMMENT = re.compile(r"#\s*pgpatterns:\s*ignore\[([^\]]*)\]\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One pattern's name in one comment. ``whole``: it applies to the file. ``implied``: not named there."""

    path: str
    line: int
    pattern: str
    whole: bool
    implied: bool = False

    def covers(self, finding: Finding) -> bool:
        """Whether the comment applies to the finding's place."""
        place = finding.location
        if finding.pattern != self.pattern or place is None or place.path != self.path:
            return False
        last = finding.at.last_line if isinstance(finding.at, Spot) else place.line
        return self.whole or place.line - 1 <= self.line <= last


@dataclass(frozen=True, slots=True)
class Unsuppressed:
    """The remaining findings, how many were suppressed, and problems of the comments."""

    findings: tuple[Finding, ...]
    suppressed: int
    complaints: tuple[str, ...]


def apply_suppressions(findings: Sequence[Finding], paths: Iterable[str], ran: frozenset[str]) -> Unsuppressed:
    """Remove the findings that comments suppress, and report comments that suppress nothing.

    Args:
        findings: for the revisions in these files.
        paths: the checked files.
        ran: the patterns that ran. A comment for another pattern may be needed in another run.
    """
    comments = [item for path in dict.fromkeys(paths) for item in read(path)]
    used = {item for item in comments for finding in findings if item.covers(finding)}
    remaining = tuple(finding for finding in findings if not any(item.covers(finding) for item in used))
    complaints = [text for item in comments if (text := _complaint(item, used, ran)) is not None]
    return Unsuppressed(remaining, len(findings) - len(remaining), tuple(complaints))


def _complaint(item: Suppression, used: set[Suppression], ran: frozenset[str]) -> str | None:
    if item.implied:
        return None
    where = f"{item.path}:{item.line}: ignore[{item.pattern}]"
    if item.pattern not in registry():
        return f"{where}: there is no pattern of that name"
    if item not in used and item.pattern in ran:
        return f"{where} suppresses nothing"
    return None


def read(path: str) -> list[Suppression]:
    """The comments of a file; none if it cannot be read."""
    result = []
    for line, column, text in comments(path, "pgpatterns:"):
        if CONTRACT.match(text):
            result += [Suppression(path, line, name, True, implied=True) for name in OF_OLD_CODE]
        comment = _COMMENT.match(text)
        if comment is not None:
            names = (name.strip() for name in comment[1].split(","))
            result += [Suppression(path, line, name, column == 0) for name in names if name]
    return result
