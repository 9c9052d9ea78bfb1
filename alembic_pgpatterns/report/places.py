"""Where to show a finding in a file: never with a folder of this machine."""

from __future__ import annotations

from urllib.parse import quote

from alembic_pgpatterns.output.places import file_at, from_here, within_repository
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.schema.model import Location

CONFIGURATION = ("alembic.ini", "pyproject.toml")
"""What stands for the project if neither a model nor a revision is known, or the file is not of the repository."""


def displayed(location: Location) -> Location:
    """A location as people in the current folder write it."""
    return Location(from_here(location.path), location.line)


def file_and_line(finding: Finding) -> tuple[str, int]:
    """The file, seen from the repository's root, and the line from 1, for formats that know nothing else."""
    location = finding.location
    path = within_repository(location.path) if location is not None else None
    if location is None or path is None:
        return _configuration(), 1
    return path, max(location.line, 1)


def uri_and_line(finding: Finding) -> tuple[str, int]:
    """The same with the file as a relative reference of a URI."""
    path, line = file_and_line(finding)
    return quote(path), line


def _configuration() -> str:
    name = next((name for name in CONFIGURATION if file_at(name).is_file()), CONFIGURATION[0])
    return within_repository(name) or name
