"""Constraints get new names in the revision that also makes them again for columns of another type."""

from __future__ import annotations

import pytest

from tests.autogenerate.catalog_snapshot import everything

MODELS = """
author = Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", Text),
    Column("best_id", ForeignKey("book.id", name="author_best", use_alter=True)))
author.primary_key.name = "author_key"
book = Table("book", metadata, Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id", name="book_author"), index=True),
    Column("pages", Integer, nullable=False), Column("shelf", Integer, nullable=False),
    Column("state", Enum("new", "old", "lost", name="state")), Column("plain", Integer),
    UniqueConstraint("pages", "shelf", name="book_place"), CheckConstraint("pages > 0", name="book_pages"),
    CheckConstraint("state <> 'old'", name="book_state"), CheckConstraint("plain > 0", name="book_plain"))
review = Table("review", metadata, Column("id", Integer, primary_key=True), Column("pages", Integer),
    Column("shelf", Integer),
    ForeignKeyConstraint(["pages", "shelf"], ["book.pages", "book.shelf"], name="review_place", comment="which"))
"""
AFTER = MODELS.replace("Integer, primary_key", "BigInteger, primary_key").replace('"lost", ', "")
for one in (
    "author_key",
    "author_best",
    "book_author",
    "book_place",
    "book_pages",
    "book_state",
    "book_plain",
    "review_place",
):
    AFTER = AFTER.replace(f'"{one}"', f'"{one}_2"')
AFTER = AFTER.replace('"pages", Integer', '"pages", BigInteger').replace('"shelf", Integer', '"shelf", BigInteger')
ROWS = """
    INSERT INTO author SELECT g, 'a' || g FROM generate_series(1, 20) g;
    INSERT INTO book SELECT g, 1 + g % 20, g, g, 'new', 1 FROM generate_series(1, 100) g;
    INSERT INTO review SELECT g, g, g FROM generate_series(1, 100) g;
"""
CONTENT = """
    SELECT (SELECT json_agg(b ORDER BY b.id) FROM (SELECT id, author_id, pages, shelf, state, plain FROM book) b)::text,
           (SELECT json_agg(r ORDER BY r.id) FROM (SELECT id, pages, shelf FROM review) r)::text
"""


def whole(database) -> dict:
    """Everything in the catalog, but the names of NOT NULL, which models do not have (PostgreSQL 18)."""
    with database.connect() as connection:
        rows = everything(connection)
    rows["constraints"] = [row for row in rows["constraints"] if row[2] != "n"]
    return {kind: sorted(map(repr, several)) for kind, several in rows.items()}


def content(database) -> tuple:
    with database.connect() as connection:
        return connection.execute(CONTENT).fetchone()


@pytest.mark.parametrize("settings", ["", pytest.param("phases = true\ndirectives = true\n", marks=pytest.mark.long)])
def test_new_names_together_with_new_types(make_project, new_database, settings: str) -> None:
    """Every file of the revision, up and down, finds the constraints by the names that they have by then."""
    database = new_database()
    project = make_project(database=database).without_patterns()
    with project.ini.open("a") as file:
        file.write(settings)
    project.models(MODELS)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(ROWS)
    start = project.alembic("heads").split()[0]
    before, rows = whole(database), content(database)
    project.models(AFTER)
    project.revise("types and names")
    project.alembic("upgrade", "head")
    after = whole(database)
    assert project.clean() and content(database) == rows
    names = {name.split(",")[1].strip(" '") for name in after["constraints"] if "_2'" in name}
    assert len(names) == 8 and not any("_new" in item for item in after["constraints"])
    project.alembic("downgrade", start)
    assert whole(database) == before and content(database) == rows
    project.alembic("upgrade", "head")
    assert whole(database) == after and content(database) == rows


def test_after_a_renamed_table(make_project, new_database) -> None:
    """The naming convention gives its constraints other names, and their columns other types, one revision later."""
    database = new_database()
    project = make_project(database=database).without_patterns()
    convention = 'metadata.naming_convention = {"fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s"}\n'
    models = MODELS.replace(', name="book_author"', "")
    project.models(convention + models)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(ROWS)
    project.alembic("revision", "-m", "rename")
    path = next(path for path in project.versions() if "_rename" in path.name)
    code = path.read_text().replace("pass", "op.rename_table('author', 'writer')", 1)
    path.write_text(code.replace("pass", "op.rename_table('writer', 'author')"))
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    before, rows = whole(database), content(database)
    renamed = models.replace('"author"', '"writer"').replace('"author.id"', '"writer.id"')
    project.models(convention + renamed.replace("Integer, primary_key", "BigInteger, primary_key"))
    project.revise("types")
    project.alembic("upgrade", "head")
    after = whole(database)
    assert project.clean() and content(database) == rows
    assert any("fk_book_author_id_writer" in item for item in after["constraints"])
    project.alembic("downgrade", start)
    assert whole(database) == before
    project.alembic("upgrade", "head")
    assert whole(database) == after


def test_a_renamed_key_that_goes_and_comes_back(make_project, new_database) -> None:
    """The unique constraint that it needs is replaced, so it is dropped by its old name, and renamed in the end."""
    database = new_database()
    project = make_project(database=database).without_patterns()
    models = MODELS.replace(', comment="which"', "")
    project.models(models)
    project.revise("start")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    before = whole(database)
    replaced = models.replace('UniqueConstraint("pages", "shelf"', 'UniqueConstraint("shelf", "pages"')
    project.models(replaced.replace('"review_place"', '"review_place_2"'))
    project.revise("names")
    project.alembic("upgrade", "head")
    after = whole(database)
    assert project.clean() and any("review_place_2" in item for item in after["constraints"])
    project.alembic("downgrade", start)
    assert whole(database) == before
    project.alembic("upgrade", "head")
    assert whole(database) == after
