"""What a project needs that its settings do not say: the other commands find it out as pgcheck does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import BOOKS_AND_AUTHORS, make

BOOKS = """
CREATE TABLE author (id bigserial PRIMARY KEY);
CREATE TABLE book (id bigserial PRIMARY KEY,
  author_id bigint CONSTRAINT book_author_id_fkey REFERENCES author, title varchar(80));
GRANT SELECT ON book TO reporting;
"""
QUERY = """
from sqlalchemy import select
from shop_models import Book

def books(session, author):
    return session.scalars(select(Book).where(Book.author_id == author)).all()
"""


@pytest.mark.long
def test_a_role_that_nothing_creates(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.write("shop_models.py", BOOKS_AND_AUTHORS)
    project.env(
        models="import sys; sys.path.insert(0, '.')\nfrom shop_models import Base\ntarget_metadata = Base.metadata"
    )
    project.sql("a1", BOOKS)
    project.write("app.py", QUERY)
    commands = (("pgadvise",), ("pgfix", "--select", "varchar-length"), ("pgrevision", "-m", "next"))
    for command in commands:
        run = project.alembic(*command)
        assert run.returncode != 255 and 'roles = ["reporting"]' in run.stderr, run.stderr
    assert len(list(project.versions.glob("*.py"))) > 1
