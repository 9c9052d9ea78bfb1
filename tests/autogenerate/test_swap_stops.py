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

    for change, undo, expected in (
        (
            "CREATE TRIGGER other BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION noted()",
            "DROP TRIGGER other ON book",
            "trigger other was not there when this revision was written",
        ),
        (
            f"DROP TRIGGER noted ON book; {TRIGGER}",
            f"DROP TRIGGER noted ON book; {TRIGGER.replace('INSERT OR ', '')}",
            "trigger noted of book is not what it was when this revision was written",
        ),
    ):
        database.execute(change)
        with pytest.raises(DBAPIError, match=expected):
            project.alembic("upgrade", "head")
        database.execute(undo)

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
