"""The addresses of this project's own pages, which reports link to; from the package's metadata."""

from __future__ import annotations

from functools import cache
from importlib.metadata import metadata

DISTRIBUTION = "alembic-pgpatterns"


@cache
def project_url(label: str) -> str:
    """One of the ``[project.urls]``; empty if there is none of that name."""
    entries = metadata(DISTRIBUTION).get_all("Project-URL") or []
    pairs = (entry.partition(",") for entry in entries)
    return next((url.strip() for name, _, url in pairs if name.strip() == label), "")


def pattern_url(name: str) -> str:
    """The page of a pattern."""
    return f"{project_url('Documentation').rstrip('/')}/patterns/{name}/"
