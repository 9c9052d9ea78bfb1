"""``alembic pgadvise`` from a suite's recording to one index, as a user does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Project, make

APP = """
from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str] = mapped_column(Text)


def counts(session):
    return [len(author.books) for author in session.scalars(select(Author))]


def by_title(session, title):
    return session.scalars(select(Book.id).where(Book.title == title).order_by(Book.id).limit(10)).all()
"""
TESTS = """
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import app

URL = "{url}"


@pytest.fixture
def session():
    engine = create_engine(URL, pool_pre_ping=True)
    app.Base.metadata.drop_all(engine)
    app.Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([app.Author(name=f"a{{n}}", books=[app.Book(title=f"t{{n}}")]) for n in range(4)])
        session.commit()
        yield session
    engine.dispose()


def test_counts(session):
    assert app.counts(session) == [1, 1, 1, 1]


def test_by_title(session):
    assert len(app.by_title(session, "t1")) == 1
"""
SCHEMA = """
CREATE TABLE author (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE book (id int PRIMARY KEY, author_id int NOT NULL REFERENCES author, title text NOT NULL);
"""


@pytest.fixture
def project(tmp_path: Path, database: Any) -> Project:
    project = make(tmp_path)
    project.sql("a1", SCHEMA)
    project.write("app.py", APP)
    url = database.url.render_as_string(hide_password=False)
    project.write("test_app.py", TESTS.format(url=url))
    project.write("rows.txt", "author 100000\nbook 5000000\n")
    return project


def pytest_run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(project.folder)}
    return subprocess.run(
        command, cwd=project.folder, env=environment, timeout=300, capture_output=True, text=True, check=False
    )


def test_from_the_tests_to_an_index(project: Project) -> None:
    run = pytest_run(project, "--pgpatterns-record=workload.jsonl", "-n", "2", "--dist", "loadfile")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "lazy-load-in-loop: Author.books is loaded with one query per object: 4 queries" in run.stdout
    assert "selectinload(Author.books)" in run.stdout

    advice = project.alembic("pgadvise", "--workload", "workload.jsonl", "--stats", "rows.txt", "--format", "json")
    assert advice.returncode == 0, advice.stderr
    document = json.loads(advice.stdout)
    assert document["version"] == 1
    assert document["source"] == "pytest"
    indexes = {index["ddl"]: index for index in document["indexes"]}
    (title,) = [index for ddl, index in indexes.items() if "(title" in ddl]
    assert title["table"] == "public.book"
    assert title["model"].startswith('Index("ix_book_title')
    assert title["op"].startswith("op.create_index(")
    (statement,) = title["statements"]
    assert statement["location"] == f"app.py:{APP.splitlines().index('def by_title(session, title):') + 2}"
    assert statement["cost_after"] * 100 < statement["cost_before"]
    assert 0 < title["break_even_rows"] < 5_000_000
    assert set(title["robust"]) == {"0.1", "1", "10"}
    patterns = {finding["pattern"] for finding in document["findings"]}
    assert patterns == {"lazy-load-in-loop", "unbounded-read"}

    for form in ("text", "markdown", "html"):
        shown = project.alembic("pgadvise", "--workload", "workload.jsonl", "--stats", "rows.txt", "--format", form)
        assert "ix_book_title" in shown.stdout, shown.stdout + shown.stderr


def test_the_source_is_the_workload_where_nothing_is_recorded(project: Project) -> None:
    advice = project.alembic("pgadvise", "--stats", "rows.txt", "--format", "json")
    assert advice.returncode == 0, advice.stderr
    document = json.loads(advice.stdout)
    assert document["source"] == "source"
    (index,) = [item for item in document["indexes"] if "(title" in item["ddl"]]
    assert index["statements"][0]["location"].startswith("app.py:")


def test_wrong_use_is_said(project: Project) -> None:
    assert "--max-indexes" in project.alembic("pgadvise", "--max-indexes", "0").stderr
    project.write("broken.jsonl", "{}\n")
    run = project.alembic("pgadvise", "--workload", "broken.jsonl")
    assert run.returncode == 255
    assert "broken.jsonl:1: this is not a line of a workload" in run.stderr


@pytest.mark.long
def test_a_baseline_and_a_comment_keep_quiet(project: Project) -> None:
    failing = pytest_run(project, "--pgpatterns-statements=fail")
    assert failing.returncode == 1
    project.write("pgpatterns-baseline.txt", "lazy-load-in-loop Author.books in counts (app.py)\n")
    assert pytest_run(project, "--pgpatterns-statements=fail").returncode == 0
    (project.folder / "pgpatterns-baseline.txt").unlink()
    line = "    return [len(author.books)"
    project.write("app.py", APP.replace(line, f"    # pgpatterns: ignore[lazy-load-in-loop] few authors\n{line}"))
    assert pytest_run(project, "--pgpatterns-statements=fail").returncode == 0


def test_env_py_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    """The advice is still written: the models were found without it. But that is not what was asked for."""
    project = make(tmp_path)
    project.write("app.py", APP)
    project.write("alembic.ini", f"{(tmp_path / 'alembic.ini').read_text()}prepend_sys_path = .\n")
    tables = (
        "CREATE TABLE author (id int PRIMARY KEY, name text); CREATE TABLE book (id int PRIMARY KEY, author_id int, "
    )
    project.sql("a1", f"{tables}title text)")
    project.write("migrations/env.py", "raise RuntimeError('only from our own program')")
    run = project.alembic("pgadvise", CI="")
    assert run.returncode == 255, run.stderr
    assert "FAILED: " in run.stderr and "only from our own program" in run.stderr
    assert "CREATE INDEX ix_book_title_id" in run.stdout
