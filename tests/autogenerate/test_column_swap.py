"""Changes of type of columns that other objects depend on: staged, with rows, on a new and an old PostgreSQL."""

from __future__ import annotations

import re

import psycopg
import pytest

from alembic_pgpatterns.autogenerate.rewrite.swap_recipes import recipe
from tests.autogenerate.catalog_snapshot import everything

BEFORE = """
author = Table("author", metadata, Column("id", Integer, primary_key=True, comment="its number"),
    Column("boss_id", ForeignKey("author.id", name="author_boss", deferrable=True, initially="DEFERRED")),
    Column("name", Text))
book = Table("book", metadata,
    Column("id", Integer, Identity(always=True, start=100, increment=5), primary_key=True),
    Column("author_id", Integer, ForeignKey("author.id", ondelete="CASCADE", deferrable=True), nullable=False,
        index=True),
    Column("pages", Integer, CheckConstraint("pages > 0", name="book_pages"), nullable=False, server_default="7"),
    Column("shelf", Integer), Column("Odd One", Integer), Column("word", Text),
    UniqueConstraint("shelf", "Odd One", name="book_place", deferrable=True, initially="DEFERRED"),
    CheckConstraint('shelf + "Odd One" < 10000', name="book_small", comment="fits"))
Index("book_even", book.c.shelf, func.abs(book.c.pages), postgresql_where=book.c.shelf > 3)
Index("book_hand", book.c.author_id, postgresql_include=["pages"])
Index("book_odd", "Odd One", book.c.word.desc(), postgresql_with={"fillfactor": 70})
copy = Table("copy", metadata, Column("book_id", Integer, ForeignKey("book.id"), primary_key=True),
    Column("number", Integer, primary_key=True))
loan = Table("loan", metadata, Column("id", BigInteger, primary_key=True), Column("book_id", Integer),
    Column("number", Integer), ForeignKeyConstraint(["book_id", "number"], ["copy.book_id", "copy.number"], name="lent",
        match="FULL", onupdate="CASCADE"))
"""
AFTER = BEFORE.replace("Integer, F", "BigInteger, F").replace('"author_id", Integer', '"author_id", BigInteger')
AFTER = AFTER.replace(" Integer", " BigInteger")
EXTRA = """
    COMMENT ON INDEX book_hand IS 'by ''hand''';
"""
ROWS = """
    INSERT INTO author (name, boss_id) SELECT 'a' || g, nullif(g / 2, 0) FROM generate_series(1, 50) g;
    INSERT INTO book (author_id, pages, shelf, "Odd One", word)
        SELECT 1 + g % 50, g, nullif(g % 90, 5), g, 'w' || g FROM generate_series(1, 300) g;
    INSERT INTO copy SELECT id, 1 FROM book;
    INSERT INTO loan SELECT g, 100 + 5 * g, 1 FROM generate_series(1, 200) g;
"""
CONTENT = """
    SELECT (SELECT json_agg(a ORDER BY a.id) FROM (SELECT id, boss_id, name FROM author) a)::text,
           (SELECT json_agg(b ORDER BY b.id) FROM
                (SELECT id, author_id, pages, shelf, "Odd One", word FROM book) b)::text,
           (SELECT json_agg(c ORDER BY c.book_id) FROM (SELECT book_id, number FROM copy) c)::text,
           (SELECT json_agg(l ORDER BY l.id) FROM (SELECT id, book_id, number FROM loan) l)::text
"""


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


def whole(database) -> dict:
    """Everything in the catalog but the order of columns: a new column is the table's last one."""
    with database.connect() as connection:
        return {kind: sorted(map(repr, rows)) for kind, rows in everything(connection).items()}


def content(database) -> tuple:
    with database.connect() as connection:
        return connection.execute(CONTENT).fetchone()


def test_keys_indexes_checks_and_foreign_keys_are_staged(make_project, new_database, old_database) -> None:
    for database in (new_database(), old_database):
        project = make_project(database=database)
        project.models(BEFORE)
        project.revise("start")
        project.alembic("upgrade", "head")
        start = project.alembic("heads").split()[0]
        database.execute(EXTRA)
        database.execute(ROWS)
        before, rows = whole(database), content(database)
        project.models(AFTER)
        files = project.revise("types")
        text = "".join(files)
        assert "For a large table, replace this by stages" not in text
        assert text.count("with a second column") >= 10
        # Statements of the autocommit blocks: only in a block of short attempts may one wait for a strong lock.
        alone = re.findall(r"^ {8}op\.(?:execute\(.ALTER TABLE .*|drop_\w+|create_\w+constraint)", text, re.MULTILINE)
        assert alone and all(" VALIDATE CONSTRAINT " in statement for statement in alone)
        states = [before]
        # File by file on one server; on the other one at once, which is quicker.
        for _ in files if database is not old_database else ():
            project.alembic("upgrade", "+1")
            states.append(whole(database))
            assert content(database) == rows
            project.alembic("downgrade", "-1")
            assert whole(database) == states[-2]
            assert content(database) == rows
            project.alembic("upgrade", "+1")
            assert whole(database) == states[-1]
        project.alembic("upgrade", "head")
        assert content(database) == rows
        assert project.clean()
        database.execute("INSERT INTO author (name) VALUES ('new')")
        with database.connect() as connection:
            new = "INSERT INTO book (author_id) VALUES (3000000000) RETURNING id"
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                connection.execute(new)
        database.execute(
            "INSERT INTO author (id, name) VALUES (3000000000, 'far'); DELETE FROM author WHERE name ~ 'far|new'"
        )
        project.alembic("downgrade", start)
        assert whole(database) == before
        assert content(database) == rows


@pytest.mark.long
def test_a_new_number_follows_the_last_one(make_project) -> None:
    project = make_project()
    project.models(BEFORE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.database.execute(ROWS)
    with project.database.connect() as connection:
        last = connection.execute("SELECT max(a.id), max(b.id) FROM author a, book b").fetchone()
    project.models(AFTER)
    project.revise("types")
    project.alembic("upgrade", "head")
    with project.database.connect() as connection:
        author = connection.execute("INSERT INTO author (name) VALUES ('new') RETURNING id").fetchone()[0]
        book = connection.execute("INSERT INTO book (author_id) VALUES (1) RETURNING id").fetchone()[0]
        # The violation in the test of the types took no number here.
        assert (author, book) == (last[0] + 1, last[1] + 5)
        connection.execute("ALTER SEQUENCE author_id_seq RESTART 3000000000")
        assert connection.execute("INSERT INTO author (name) VALUES ('far') RETURNING id").fetchone() == (3000000000,)


@pytest.mark.long
def test_each_file_runs_again_after_it_stopped_half_way(make_project) -> None:
    """Before its last transaction: what the file did in autocommit blocks is there already."""
    project = make_project()
    project.models(BEFORE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.database.execute(EXTRA)
    project.database.execute(ROWS)
    rows = content(project.database)
    project.models(AFTER)
    project.revise("types")
    stopped = 0
    for path in sorted(project.versions(), key=lambda path: path.stat().st_mtime_ns)[1:]:
        text = path.read_text()
        upgrade, _, downgrade = text.partition("def downgrade")
        head, end, tail = upgrade.rpartition("op.execute('RESET statement_timeout')\n")
        if end:
            path.write_text(f"{head}{end}    raise RuntimeError('stopped')\n{tail}def downgrade{downgrade}")
            with pytest.raises(RuntimeError, match="stopped"):
                project.alembic("upgrade", "+1")
            assert content(project.database) == rows
            path.write_text(text)
            stopped += 1
        project.alembic("upgrade", "+1")
    assert stopped > 3
    assert content(project.database) == rows
    assert project.clean()


REFUSED = (
    (
        "CREATE VIEW seen AS SELECT pages FROM book; CREATE FUNCTION one() RETURNS bigint LANGUAGE sql "
        "BEGIN ATOMIC SELECT count(*) FROM seen; END",
        "DROP FUNCTION one; DROP VIEW seen",
        "function one(), which uses view seen",
    ),
    ("CREATE TABLE part (pages int) INHERITS (book)", "DROP TABLE part", "a partition or a parent"),
    (
        "CREATE FUNCTION most() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT max(pages) FROM book; END",
        "DROP FUNCTION most",
        "function most()",
    ),
    (
        "CREATE MATERIALIZED VIEW grouped AS SELECT id, pages FROM book GROUP BY id",
        "DROP MATERIALIZED VIEW grouped",
        "materialized view grouped, which depends on constraint book_pkey on table book and is materialised or read by "
        "one that is",
    ),
    (
        "CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        'CREATE TRIGGER "~~" BEFORE INSERT ON book FOR EACH ROW EXECUTE FUNCTION kept()',
        'DROP TRIGGER "~~" ON book; DROP FUNCTION kept',
        "trigger ~~, which fires after the one that fills the new column",
    ),
    (
        "ALTER TABLE book ADD pages_new int",
        "ALTER TABLE book DROP pages_new",
        "column pages_new, which has the name that the new column would get",
    ),
    (
        "ALTER TABLE book ADD twice int GENERATED ALWAYS AS (pages * 2) STORED",
        "ALTER TABLE book DROP twice",
        "generated column twice",
    ),
    (
        "CREATE TABLE book_pages_new ()",
        "DROP TABLE book_pages_new",
        "book_pages_new, which has the name that a new object would get",
    ),
    (
        "CREATE MATERIALIZED VIEW seen AS SELECT pages FROM book; CREATE TABLE seen_new ()",
        "DROP TABLE seen_new; DROP MATERIALIZED VIEW seen",
        "seen_new, which has the name that a new object would get",
    ),
    (
        "ALTER TABLE book ADD CONSTRAINT ex EXCLUDE USING btree (pages WITH =)",
        "ALTER TABLE book DROP CONSTRAINT ex",
        "constraint ex on table book",
    ),
)


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_what_stands_in_the_way_is_named(project, every: int) -> None:
    project.models(BEFORE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.models(BEFORE.replace('"pages", Integer', '"pages", BigInteger'))
    for statement, undo, named in REFUSED[::every]:
        project.database.execute(statement)
        files = set(project.versions())
        text = " ".join("".join(project.revise("types")).replace("#", " ").split())
        assert f"Autogenerate does not write these stages because of: {named}" in text
        assert "What to do about" not in text and recipe(named) in text
        assert "CREATE TRIGGER" not in text
        for path in set(project.versions()) - files:
            path.unlink()
        project.database.execute(undo)
    assert "CREATE TRIGGER" in "".join(project.revise("types"))


FOLLOWED = (
    ("CREATE FUNCTION most() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT max(pages) FROM book; END",
     "CREATE OR REPLACE FUNCTION most() RETURNS int LANGUAGE sql AS 'SELECT max(pages) FROM book'"),
    ("CREATE MATERIALIZED VIEW grouped AS SELECT id, pages FROM book GROUP BY id",
     "DROP MATERIALIZED VIEW grouped;"
     "CREATE MATERIALIZED VIEW grouped AS SELECT id, pages FROM book GROUP BY id, pages"),
    ("CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
     'CREATE TRIGGER "~~" BEFORE INSERT ON book FOR EACH ROW EXECUTE FUNCTION kept()',
     'ALTER TRIGGER "~~" ON book RENAME TO a_first'),
    ("ALTER TABLE book ADD twice int GENERATED ALWAYS AS (pages * 2) STORED",
     "ALTER TABLE book ALTER COLUMN twice DROP EXPRESSION"),
    ("ALTER TABLE book ALTER pages SET STORAGE PLAIN; ALTER TABLE book ADD pages_new int",
     "ALTER TABLE book RENAME pages_new TO pages_else"),
)  # fmt: skip


@pytest.mark.long
def test_after_what_the_recipe_says_the_type_is_changed_in_stages(make_project, new_database) -> None:
    for statement, recipe_statement in FOLLOWED:
        database = new_database()
        project = make_project(database=database)
        project.models(BEFORE)
        project.revise("start")
        project.alembic("upgrade", "head")
        database.execute(f"{statement}; {recipe_statement}")
        project.models(BEFORE.replace('"pages", Integer', '"pages", BigInteger'))
        assert "For a large table, replace this by stages" not in "".join(project.revise("types")), statement
        project.alembic("upgrade", "head")


@pytest.mark.long
def test_beside_other_changes_of_its_dependents_a_type_is_changed_in_one_statement(make_project) -> None:
    """A foreign key or an index on the old column would go with it, or hold it."""
    project = make_project()
    project.models(BEFORE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.database.execute(ROWS)
    before = whole(project.database)
    new = """
note = Table("note", metadata, Column("id", BigInteger, primary_key=True), Column("author_id", ForeignKey("author.id")))
author.append_column(Column("best_id", ForeignKey("book.id")))
Index("book_new", book.c.pages)
"""
    project.models(AFTER.replace('Index("book_odd"', 'Index("book_else"') + new)
    assert "which this revision changes too" in "".join(project.revise("types"))
    project.alembic("upgrade", "head")
    assert project.clean()
    with project.database.connect() as connection:
        types = "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'public'"
        assert connection.execute(types + " AND column_name ~ '_id$'").fetchall() == [("bigint",)]
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "+1")
    assert whole(project.database) == before


TEXTS = """
t = Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("doc", JSON, nullable=False),
    Column("key", Text, unique=True), Column("price", Float, server_default="1.5"), Column("state", Text, index=True))
"""
CAST = """
t = Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("doc", postgresql.JSONB, nullable=False),
    Column("key", Uuid, unique=True), Column("price", Numeric, server_default="1.5"),
    Column("state", Enum("new", "old", name="state"), index=True))
"""


@pytest.mark.long
def test_types_with_a_cast_are_staged_too(make_project, new_database, old_database) -> None:
    """The expression of USING fills the new column, in the trigger and for existing rows."""
    for database in (new_database(), old_database):
        project = make_project(database=database)
        project.models(TEXTS)
        project.revise("start")
        project.alembic("upgrade", "head")
        start = project.alembic("heads").split()[0]
        database.execute("""
            INSERT INTO t SELECT g, '{"a": 1}', md5(g::text), g / 4.0, 'new' FROM generate_series(1, 99) g
        """)
        before, counted = whole(database), "SELECT count(*), count(key), max(price), max((doc ->> 'a')::int) FROM t"
        project.models(CAST)
        text = "".join(project.revise("types"))
        # The downgrade of one that sits between two files is in them twice.
        assert text.count("with a second column, because from") >= 4 and "For a large table" not in text
        project.alembic("upgrade", "+1")
        database.execute("INSERT INTO t VALUES (100, '{}', gen_random_uuid()::text, 3, 'old')")
        project.alembic("upgrade", "head")
        assert project.clean()
        with database.connect() as connection:
            assert connection.execute(counted).fetchone() == (100, 100, 24.75, 1)
        project.alembic("downgrade", start)
        assert whole(database) == before


def test_checks_on_a_column_whose_rows_stay_are_validated_later(make_project, new_database, old_database) -> None:
    """varchar to text, and a longer numeric: nothing is rewritten, and no row is read under the lock."""
    before = """
t = Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("word", String(9)),
    Column("price", Numeric(8, 2)), CheckConstraint("word <> \'\'", name="said", comment="it\'s"),
    CheckConstraint("price > 5", name="five"))
"""
    for database in (new_database(), old_database):
        project = make_project(database=database)
        project.models(before)
        project.revise("start")
        project.alembic("upgrade", "head")
        start = project.alembic("heads").split()[0]
        database.execute("INSERT INTO t VALUES (1, 'x', 7); ALTER TABLE t DROP CONSTRAINT five")
        database.execute("ALTER TABLE t ADD CONSTRAINT five CHECK (price > 5) NOT VALID")
        was = whole(database)
        project.models(before.replace("String(9)", "Text").replace("8, 2", "9, 2"))
        first, last = project.revise("types")
        assert (
            first.count("its CHECKs come back NOT VALID") >= 2 and "second column" not in first.partition("def down")[0]
        )
        assert "VALIDATE CONSTRAINT said" in last and "VALIDATE CONSTRAINT five" not in last
        project.alembic("upgrade", "head")
        assert project.clean()
        project.alembic("downgrade", start)
        assert whole(database) == was


GENERATED = """
t = Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("n", Integer, nullable=False),
    Column("word", Text), Column("twice", Integer, Computed("n * 2", persisted=False), comment="it's n, twice"),
    Column("label", Text, Computed("'n' || n", persisted=False), nullable=False))
"""


def test_a_virtual_column_does_not_stand_in_the_way_of_its_source(make_project, new_database) -> None:
    database = new_database()
    project = make_project(database=database)
    project.models(GENERATED)
    project.revise("start")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    database.execute("INSERT INTO t (id, n) SELECT g, g FROM generate_series(1, 50) g")
    before = whole(database)
    project.models(GENERATED.replace('"n", Integer', '"n", BigInteger'))
    text = "".join(project.revise("types"))
    assert "For a large table" not in text and "CREATE TRIGGER" in text
    project.alembic("upgrade", "head")
    assert project.clean()
    with database.connect() as connection:
        query = "SELECT sum(n), sum(twice), max(label), pg_typeof(max(n))::text FROM t"
        assert connection.execute(query).fetchone() == (1275, 2550, "n9", "bigint")
    project.alembic("downgrade", start)
    assert whole(database) == before
    # One that a view reads would have to come back with the view: that is left to a person.
    database.execute("CREATE VIEW seen AS SELECT twice FROM t")
    for path in project.versions():
        if not path.name.startswith(start):
            path.unlink()
    assert "generated column twice" in " ".join("".join(project.revise("again")).split())
