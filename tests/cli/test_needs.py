"""What a project needs that its settings do not say: the other commands find it out as pgcheck does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import BOOKS_AND_AUTHORS, Project, make

BOOKS = """
CREATE TABLE author (id bigserial PRIMARY KEY);
CREATE TABLE book (id bigserial PRIMARY KEY,
  author_id bigint CONSTRAINT book_author_id_fkey REFERENCES author, title varchar(255));
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


GRANT = "GRANT SELECT ON author TO reporting"
OPTION = 'roles = ["reporting"]'


@pytest.fixture
def branches(tmp_path: Path) -> Project:
    """Two branches, of which both grant rights to a role that nothing creates."""
    project = make(tmp_path)
    project.sql("a1", f"CREATE TABLE author (id bigint PRIMARY KEY); {GRANT}")
    project.sql("b1", "CREATE TABLE book (id bigint PRIMARY KEY)", "a1")
    project.sql("c1", GRANT, "a1")
    return project


def test_a_rebase_finds_it_out(branches: Project) -> None:
    run = branches.alembic("pgrebase", "c1", "--onto", "b1")
    assert run.returncode == 0 and OPTION in run.stderr, run.stderr
    assert "down_revision = 'b1'" in (branches.versions / "c1.py").read_text()


@pytest.mark.long
def test_a_rehearsal_finds_it_out(branches: Project) -> None:
    (branches.versions / "c1.py").unlink()
    branches.sql("b2", GRANT.replace("author", "book"), "b1")
    run = branches.alembic("pgrehearse", "b2", "--rows", "500", "--exit-zero")
    assert run.returncode == 0 and OPTION in run.stderr, run.stderr


@pytest.mark.long
def test_the_hook_finds_it_out(branches: Project) -> None:
    (branches.versions / "c1.py").unlink()
    hook = "[post_write_hooks]\nhooks = check\ncheck.type = pgpatterns\n"
    branches.write("alembic.ini", (branches.folder / "alembic.ini").read_text() + hook)
    run = branches.alembic("revision", "-m", "next")
    assert run.returncode == 0 and OPTION in run.stderr, run.stderr
