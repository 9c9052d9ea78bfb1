"""Whether a value that is always sent stands in the application's source."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.workload.literals import is_literal
from alembic_pgpatterns.workload.model import Recorded, Site, Usage

MODELS = """
class Episode(Base):
    @hybrid_property
    def is_live(self):
        return self.status == Status.live

    @is_live.expression
    def is_live(cls):
        return and_(cls.status == Status.live, cls.kind == "talk")
"""
QUERIES = """
def live(session):
    return session.scalars(select(Episode).where(Episode.is_live)).all()

def due(session):
    return session.scalars(select(Episode).where(Episode.status == Status.SCHEDULED)).all()

def any_of(session, status):
    return session.scalars(select(Episode).where(Episode.status == status)).all()

def named(session, status):
    return session.scalars(select(Episode).filter_by(status=status)).all()

OPEN = ("new", Status.OPEN)

class Shelf:
    DONE: str = "done"

def open_ones(session):
    return session.scalars(select(Episode).where(Episode.status.in_(OPEN), Episode.kind != Shelf.DONE)).all()
"""


@pytest.mark.parametrize(
    ("line", "value", "column", "expected"),
    [
        (3, "live", "status", True),  # the hybrid property has it
        (3, "talk", "kind", True),
        (3, "other", "kind", False),
        (6, "scheduled", "status", True),
        (9, "live", "status", False),  # the function compares the column with what it is given
        (12, "live", "status", False),
        (3, " ", None, False),
        (20, "new", "status", True),
        (20, "open", "status", True),
        (20, "done", "kind", True),
        (20, "closed", "status", False),
    ],
)
def test_where_a_constant_stands(
    line: int, value: str, column: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "app"
    package.mkdir()
    for name, text in (("__init__", ""), ("models", MODELS), ("queries", QUERIES)):
        (package / f"{name}.py").write_text(text)
    sent = Recorded("1", "SELECT 1", "select", usages=(Usage(Site("app/queries.py", line, "f"), 1),))
    assert is_literal(sent, value, column) is expected
