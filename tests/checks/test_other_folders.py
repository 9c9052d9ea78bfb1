"""The command started in another folder (``alembic -c``): the same findings, and the baseline still accepts them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.projects import BOOKS_AND_AUTHORS, Project, make

pytestmark = pytest.mark.long

QUERIES = """
from sqlalchemy import func, select

from shop.models import Book


def by_title(session, title):
    return session.scalars(select(Book).where(Book.title == title).order_by(Book.id).limit(9)).all()
"""
TABLES = """
op.create_table("author", sa.Column("id", sa.BigInteger, primary_key=True))
op.create_table("book", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("title", sa.String(255)),
    sa.Column("author_id", sa.BigInteger, sa.ForeignKey("author.id")))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with models, a query, and a revision that builds an index in a way that blocks."""
    result = make(tmp_path / "shop_project")
    result.write("alembic.ini", (result.folder / "alembic.ini").read_text() + "prepend_sys_path = %(here)s\n")
    result.write("shop/__init__.py", "")
    result.write("shop/models.py", BOOKS_AND_AUTHORS)
    result.write("shop/queries.py", QUERIES)
    result.env("from shop.models import Base\ntarget_metadata = Base.metadata\n")
    result.revision("a1", TABLES)
    result.revision("b2", 'op.create_index("ix_book_author_id", "book", ["author_id"])', "a1")
    return result


def found(folder: Path, ini: str) -> tuple[set[tuple[str, str]], list[str]]:
    """Fingerprints with their message, and what was skipped."""
    folder.mkdir(exist_ok=True)
    report = Project(folder).alembic("-c", ini, "pgcheck", "--format", "json", "--exit-zero")
    document = json.loads(report.stdout)
    return {(item["fingerprint"], item["message"]) for item in document["findings"]}, [
        item["what"] for item in document["skipped"]
    ]


def test_findings_are_the_same_from_every_folder(project: Project, tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    inside = found(project.folder, "alembic.ini")
    names = {fingerprint for fingerprint, _ in inside[0]}
    assert "query-without-index public.book(title, id) in by_title (shop/queries.py)" in names
    assert any(name.startswith("varchar-length") for name in names), "of the models"
    assert any(name.endswith(" b2") for name in names), "of a revision"
    assert found(tmp_path / "beside", "../shop_project/alembic.ini") == inside


def test_places_are_those_of_the_project(project: Project, tmp_path: Path) -> None:
    report = Project(tmp_path).alembic("-c", "shop_project/alembic.ini", "pgcheck", "--format", "gitlab", "--exit-zero")
    places = {item["location"]["path"] for item in json.loads(report.stdout)}
    assert places == {"shop/models.py", "shop/queries.py", "migrations/versions/a1.py", "migrations/versions/b2.py"}
