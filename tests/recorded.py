"""Recordings of statements that a test writes by hand."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.workload.model import Recorded, Site, Usage, Workload
from alembic_pgpatterns.workload.text import read


def recorded(*texts: str, path: str = "app.py", function: str = "view", **usage: Any) -> Workload:
    """A recording in which line 1 sent the first statement, line 2 the second one; each once."""
    statements = []
    for line, text in enumerate(texts, 1):
        reading = read(text)
        assert reading is not None
        sent = Usage(Site(path, line, function), 1, **usage)
        statements.append(Recorded(reading.fingerprint, text, reading.kind, usages=(sent,)))
    return Workload(tuple(statements))
