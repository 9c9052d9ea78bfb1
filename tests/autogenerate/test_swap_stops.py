"""A revision stops, and says so, if the database has changed since the revision was written."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

MODELS = """
book = Table("book", metadata, Column("id", BigInteger, primary_key=True), Column("pages", Integer, nullable=False),
    Column("word", Text))
"""
OBJECTS = """
    INSERT INTO book SELECT g, g, 'w' FROM generate_series(1, 40) g;
    CREATE MATERIALIZED VIEW most AS SELECT max(pages) AS pages FROM book;
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION noted();
"""
TRIGGER = "CREATE TRIGGER noted BEFORE INSERT OR UPDATE ON book FOR EACH ROW EXECUTE FUNCTION noted()"
DEFINITION = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'noted'"
WHOLE = "SELECT count(*), sum(pages), pg_typeof(max(pages))::text FROM book"


def test_a_view_or_a_trigger_that_has_changed(make_project, new_database) -> None:
    database = new_database()
    project = make_project(database=database).without_patterns()
    project.models(MODELS)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(OBJECTS)
    files = set(project.versions())
    project.models(MODELS.replace('"pages", Integer', '"pages", BigInteger'))
    project.revise("types")
    last = max(set(project.versions()) - files, key=lambda path: path.stat().st_mtime_ns)
    project.alembic("upgrade", "+1")

    database.execute("CREATE TRIGGER other BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION noted()")
    with pytest.raises(DBAPIError, match="trigger other was not there when this revision was written"):
        project.alembic("upgrade", "head")
    # Another form of one that was there is kept.
    database.execute(f"DROP TRIGGER other ON book; DROP TRIGGER noted ON book; {TRIGGER}")

    text = last.read_text()
    upgrade, _, downgrade = text.partition("def downgrade")
    head, end, tail = upgrade.rpartition("op.execute('RESET statement_timeout')\n")
    view = "DROP MATERIALIZED VIEW most; CREATE MATERIALIZED VIEW most AS SELECT min(pages) AS pages FROM book"
    last.write_text(f"{head}{end}    op.execute({view!r})\n{tail}def downgrade{downgrade}")
    with pytest.raises(DBAPIError, match="most has changed since its copy was made, or has no copy"):
        project.alembic("upgrade", "head")
    with database.connect() as connection:
        assert connection.execute(WHOLE).fetchone() == (40, 820, "integer")

    # The same file again, on the database as it is now.
    last.write_text(text)
    database.execute(view)
    project.alembic("upgrade", "head")
    assert project.clean()
    with database.connect() as connection:
        assert connection.execute(WHOLE).fetchone() == (40, 820, "bigint")
        assert connection.execute("SELECT pages FROM most").fetchone() == (1,)
        assert "INSERT OR UPDATE ON public.book" in connection.execute(DEFINITION).fetchone()[0]


NARROW = """
book = Table("book", metadata, Column("id", BigInteger, primary_key=True), Column("shelf", Text, primary_key=True),
    Column("pages", Integer, nullable=False), Column("word", String(4)), Column("token", Text))
"""
WIDE = (
    NARROW.replace("Integer, n", "BigInteger, n").replace("String(4)", "Text").replace('"token", Text', '"token", Uuid')
)
WORDS = """
    INSERT INTO book SELECT g, 'a', g, CASE WHEN g > 7 THEN 'w' END, gen_random_uuid() FROM generate_series(1, 20) g;
"""


def test_rows_that_do_not_fit_are_named_before_anything_is_changed(make_project, new_database, old_database) -> None:
    """Up and down: from the first step on the application's own writes of such values would be refused."""
    for database in (new_database(), old_database):
        project = make_project(database=database).without_patterns()
        project.models(NARROW)
        project.revise("start")
        project.alembic("upgrade", "head")
        start = project.alembic("heads").split()[0]
        database.execute(f"{WORDS}; UPDATE book SET token = 'none' WHERE id IN (3, 4)")
        before = state(database)
        project.models(WIDE)
        project.revise("types")
        expected = r"2 rows of book have no value of the type UUID in token, such as \d, a; \d, a\n"
        with pytest.raises(DBAPIError, match=expected):
            project.alembic("upgrade", "head")
        assert state(database) == before
        database.execute("UPDATE book SET token = NULL WHERE id IN (3, 4)")
        project.alembic("upgrade", "head")
        # Spaces at the end of a text are cut without an error, as PostgreSQL does it.
        database.execute("UPDATE book SET word = CASE WHEN id > 6 THEN 'four    ' ELSE 'longer' END")
        # The downgrade of a type that gets wider in one statement is in the first file.
        project.alembic("downgrade", "-1")
        before = state(database)
        expected = r"6 rows of book have no value of the type VARCHAR\(4\) in word, such as \d, a(; \d, a){4}\n"
        with pytest.raises(DBAPIError, match=expected):
            project.alembic("downgrade", start)
        assert state(database) == before
        database.execute("UPDATE book SET word = 'four' WHERE id <= 6")
        project.alembic("downgrade", start)
        with database.connect() as connection:
            assert connection.execute("SELECT DISTINCT word, pg_typeof(word)::text FROM book").fetchall() == [
                ("four", "character varying")
            ]


def state(database) -> list:
    with database.connect() as connection:
        return connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'book'::regclass "
            "AND NOT attisdropped AND attnum > 0 UNION ALL SELECT tgname, '' FROM pg_trigger ORDER BY 1"
        ).fetchall()
