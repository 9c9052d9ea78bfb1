"""A revision that fills a table whose row security applies to the owner, run by a role without BYPASSRLS."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

MODELS = """
book = Table("book", metadata, Column("id", BigInteger, primary_key=True), Column("pages", Integer, nullable=False),
    Column("state", Enum("new", "old", name="state")))
page = Table("page", metadata, Column("id", BigInteger, primary_key=True), Column("number", Integer))
"""
TYPES = MODELS.replace('"pages", Integer', '"pages", BigInteger').replace('"number", Integer', '"number", BigInteger')
COLUMN = MODELS.replace(
    '"state", Enum', '"size", Integer, nullable=False, default=text("7 + random()::int * 0")), Column("state", Enum'
)
KIND = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'book'::regclass AND attname = %s"


@pytest.fixture
def started(make_project, new_database):
    """A project, its database, and the owner of its tables, a role that row security applies to."""
    database, role = new_database(), f"role_{uuid.uuid4().hex[:8]}"
    project = make_project(database=database).without_patterns()
    project.models(MODELS)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(f"""
        CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role};
        INSERT INTO book SELECT g, g, 'new' FROM generate_series(1, 40) g;
        INSERT INTO page SELECT g, g FROM generate_series(1, 40) g;
        ALTER TABLE book OWNER TO {role}; ALTER TABLE page OWNER TO {role}; ALTER TYPE state OWNER TO {role};
        ALTER TABLE alembic_version OWNER TO {role};
        ALTER TABLE page ENABLE ROW LEVEL SECURITY;
        ALTER TABLE book ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY none ON book USING (id < 0);
    """)  # fmt: skip
    project.replace(
        project.root / "migrations" / "env.py",
        "with connectable.connect() as connection:",
        "with connectable.connect() as connection:\n"
        "        import os\n"
        "        connection.exec_driver_sql(os.environ.get('BOOK_ROLE') or 'SELECT 1')\n"
        "        connection.commit()",
    )
    return project, database, role


def value(database, query: str, *values: object) -> object:
    with database.connect() as connection:
        return connection.execute(query, values).fetchone()[0]


@pytest.mark.parametrize("settings", ["", pytest.param("directives = true\n", marks=pytest.mark.long)])
def test_it_fails_before_anything_is_changed(started, monkeypatch, settings: str) -> None:
    project, database, role = started
    with project.ini.open("a") as file:
        file.write(settings)
    start = project.alembic("heads").split()[0]
    project.models(TYPES)
    files = project.revise("types")
    assert len(files) > 1
    for text in (files[0].partition("def downgrade")[0], project.output):
        assert "hides rows of public.book from the owner too" in " ".join(text.replace("#", "").split())
        assert "BYPASSRLS" in text and "page" not in text.partition("BYPASSRLS")[0].partition("hides rows")[2]

    monkeypatch.setenv("BOOK_ROLE", f"SET ROLE {role}")
    with pytest.raises(DBAPIError, match="row security hides rows of book") as failure:
        project.alembic("upgrade", "head")
    assert "ALTER ROLE ... BYPASSRLS" in str(failure.value)
    assert isinstance(failure.value.orig, psycopg.errors.InsufficientPrivilege)
    assert project.alembic("current").split()[0] == start and value(database, KIND, "pages") == "integer"
    assert value(database, "SELECT count(*) FROM pg_attribute WHERE attname = 'pages_new'") == 0

    database.execute(f"ALTER ROLE {role} BYPASSRLS")
    project.alembic("upgrade", "head")
    assert value(database, KIND, "pages") == "bigint" and value(database, "SELECT sum(pages) FROM book") == 820
    database.execute(f"ALTER ROLE {role} NOBYPASSRLS")
    with pytest.raises(DBAPIError, match="row security hides rows of book"):
        project.alembic("downgrade", start)
    assert value(database, KIND, "pages") == "bigint"
    database.execute(f"ALTER ROLE {role} BYPASSRLS")
    project.alembic("downgrade", start)
    assert value(database, KIND, "pages") == "integer" and value(database, "SELECT sum(pages) FROM book") == 820


def test_a_new_column_and_a_label(started, monkeypatch) -> None:
    project, database, role = started
    project.models(COLUMN.replace(", default=7", ""))
    # The statement that a person writes would see no row either.
    first, *_ = project.revise("by hand")
    assert "row_security_active" in first.partition("def downgrade")[0] and "BYPASSRLS" in project.output
    for path in project.versions():
        if "by_hand" in path.name:
            path.unlink()
    project.models(COLUMN)
    assert "row_security_active" in project.revise("column")[0]
    monkeypatch.setenv("BOOK_ROLE", f"SET ROLE {role}")
    with pytest.raises(DBAPIError, match="row security hides rows of book"):
        project.alembic("upgrade", "head")
    database.execute(f"ALTER ROLE {role} BYPASSRLS")
    project.alembic("upgrade", "head")
    assert value(database, "SELECT sum(size) FROM book") == 280
    project.models(COLUMN.replace('"new", "old"', '"new"'))
    text = " ".join("".join(project.revise("label")).replace("#", "").split())
    assert "FORCE ROW LEVEL SECURITY hides rows of public.book from the owner too: ask as a role with BYPASSRLS" in text


def test_op_backfill_says_which_role_it_needs(started, monkeypatch, capfd) -> None:
    project, _, role = started
    project.alembic("revision", "-m", "filled")
    path = next(path for path in project.versions() if "_filled" in path.name)
    fill = "op.backfill('book', {'pages': 0}, where='pages > 0')"
    path.write_text("import alembic_pgpatterns.operations\n" + path.read_text().replace("pass", fill, 1))
    monkeypatch.setenv("BOOK_ROLE", f"SET ROLE {role}")
    with pytest.raises(AssertionError):
        project.alembic("upgrade", "head")
    output = " ".join("".join(capfd.readouterr()).split())
    assert f"row security hides rows from the role {role}" in output and "BYPASSRLS" in output


def test_what_goes_with_a_dropped_table_is_named(started) -> None:
    project, database, _ = started
    database.execute("""
        CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER watched BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION kept();
        CREATE RULE no_delete AS ON DELETE TO book DO INSTEAD NOTHING;
        GRANT SELECT ON book TO PUBLIC;
    """)
    project.models(MODELS[MODELS.index("page =") :])
    text = " ".join("".join(project.revise("gone")).replace("#", "").split())
    assert (
        "With it go: row security, policy none on table book, trigger watched on table book, rule no_delete on table "
        "book, grants, which a downgrade does not give back"
    ) in text
