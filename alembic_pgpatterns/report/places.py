"""Where to show a finding in a file, for formats that know nothing but files and lines."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from alembic_pgpatterns.patterns import Finding

NOWHERE = "alembic.ini"
"""What stands for "the project" where neither a model nor a revision is known."""


def path_and_line(finding: Finding) -> tuple[str, int]:
    """The file as a relative reference of a URI where it is below the current folder, and the line from 1."""
    if finding.location is None:
        return NOWHERE, 1
    path = Path(finding.location.path)
    if path.is_absolute():
        return path.as_uri(), max(finding.location.line, 1)
    return quote(path.as_posix()), max(finding.location.line, 1)


def file_and_line(finding: Finding) -> tuple[str, int]:
    """The file as it is written on disk, and the line."""
    if finding.location is None:
        return NOWHERE, 1
    return finding.location.path, max(finding.location.line, 1)
