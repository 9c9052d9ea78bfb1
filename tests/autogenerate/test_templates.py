"""Enforced patterns under env.py files as users have them: templates, several databases, other plugins, offline."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.autogenerate.catalog_snapshot import differences
from tests.autogenerate.conftest import PLUGIN, AlembicProject

BEFORE = """
author = Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", String(80)))
"""
AFTER = (
    BEFORE
    + """
Table("book", metadata, Column("id", Integer, primary_key=True), Column("author_id", ForeignKey("author.id")),
      Column("title", String(255), nullable=False), Column("kind", Enum("a", "b", name="kind"), nullable=False))
author.append_column(Column("mentor_id", ForeignKey("author.id")))
author.append_column(Column("mood", Enum("sad", "ok", name="mood")))
"""
)
Make = Callable[..., AlembicProject]


def there_and_back(project: AlembicProject) -> list[str]:
    """Two revisions; each step is clean, and the way back restores."""
    project.models(BEFORE)
    project.revise("before")
    project.alembic("upgrade", "head")
    assert project.clean()
    start, first = project.alembic("heads").split()[0], project.snapshot()
    project.models(AFTER)
    files = project.revise("after")
    project.alembic("upgrade", "head")
    there = project.snapshot()
    assert project.clean()
    project.alembic("downgrade", start)
    assert differences(project.snapshot(), first) == []
    project.alembic("upgrade", "head")
    assert differences(project.snapshot(), there) == []
    project.alembic("downgrade", "base")
    assert project.snapshot()["columns"] == []
    project.alembic("upgrade", "head")
    assert differences(project.snapshot(), there) == []
    types = {f"{row[0]}.{row[1]}": row[2] for row in there["columns"]}
    assert types["book.author_id"] == types["author.mentor_id"] == "bigint"
    assert types["book.title"] == "text"
    assert sum("(mentor_id)" in row[0] or "(author_id)" in row[0] for row in there["indexes"]) == 2
    return files


@pytest.mark.sample(4)
@pytest.mark.parametrize("template", ["generic", "async", "pyproject", "pyproject_async"])
def test_templates(make_project: Make, template: str) -> None:
    there_and_back(make_project(template, "asyncpg" if "async" in template else "psycopg2"))


@pytest.mark.long
def test_beside_alembic_postgresql_enum(make_project: Make) -> None:
    project = make_project()
    project.env("from alembic import context", "import alembic_postgresql_enum\nfrom alembic import context")
    # Importing it enables it for good, so not in this process.
    project.alembic = project.outside  # type: ignore[attr-defined, method-assign]
    there_and_back(project)


def test_offline_sql_leads_to_the_same(make_project: Make, new_database: Callable[[], object]) -> None:
    project = make_project()
    there_and_back(project)
    script = project.alembic("upgrade", "base:head", "--sql")
    other = AlembicProject.__new__(AlembicProject)
    other.database = new_database()
    with other.database.connect() as connection:
        for statement in statements(script):
            connection.execute(statement.encode())
    assert differences(other.snapshot(), project.snapshot()) == []
    assert "DROP TABLE book" in project.alembic("downgrade", f"{project.alembic('heads').split()[0]}:base", "--sql")


def statements(script: str) -> list[str]:
    """Pieces that run by themselves: each transaction, and each statement outside of one."""
    found, piece, inside = [], "", False
    for part in script.split(";\n"):
        piece += f"{part};\n"
        inside = (inside or "BEGIN" in part.split()) and "COMMIT" not in part.split()
        if not inside and piece.count("$$") % 2 == 0:
            found.append(piece)
            piece = ""
    return found


def test_two_branches(make_project: Make) -> None:
    project = make_project()
    project.models(BEFORE)
    project.revise("before")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    project.alembic("revision", "-m", "by hand", "--head", start, "--branch-label", "hand")
    project.alembic("upgrade", "heads")
    project.models(AFTER)
    project.revise("on a branch", "--head", start, "--splice")
    project.alembic("upgrade", "heads")
    assert project.clean()
    project.alembic("merge", "heads", "-m", "merged")
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "head")


def test_several_databases(make_project: Make, new_database: Callable[[], object]) -> None:
    project = make_project("multidb", way="")
    url = new_database().url.set(drivername="postgresql+psycopg")  # type: ignore[attr-defined]
    second = url.render_as_string(False).replace("%", "%%")
    project.replace(project.ini, "driver://user:pass@localhost/dbname2", second)
    project.env("target_metadata = {}", "import models\ntarget_metadata = models.both")
    project.env("target_metadata=target_metadata.get(name),", f"target_metadata=target_metadata.get(name), {PLUGIN},")
    other = 'other = MetaData()\nTable("t", other, Column("id", Integer, primary_key=True), Column("s", String(9)))\n'
    project.models(f"{AFTER}\n{other}both = {{'engine1': metadata, 'engine2': other}}")
    (text,) = project.revise("all")
    assert "sa.Column('s', sa.Text()" in text
    assert "ix_book_author_id" in text
    assert (project.root / "pgpatterns-baseline.txt").exists()
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base")
