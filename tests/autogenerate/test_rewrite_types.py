"""Changes of a column's type: what PostgreSQL writes anew, and the way round it."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import keeps_indexes, rewrites

ID = 'Column("id", BigInteger, primary_key=True)'
TYPES = [
    sa.Integer(), sa.BigInteger(), sa.SmallInteger(), sa.String(10), sa.String(50), sa.String(), sa.Text(), sa.CHAR(5),
    sa.Numeric(10, 2), sa.Numeric(12, 2), sa.Numeric(12, 3), sa.Numeric(), sa.DateTime(), sa.DateTime(timezone=True),
    postgresql.TIMESTAMP(precision=3), postgresql.TIMESTAMP(precision=6), sa.Date(), sa.Float(), sa.Double(),
    sa.ARRAY(sa.Integer), sa.ARRAY(sa.BigInteger), postgresql.TIMESTAMP(precision=3, timezone=True),
    sa.String(20, collation="C"), sa.Text(collation="POSIX"), sa.ARRAY(sa.Text), sa.ARRAY(sa.Text(collation="C")),
]  # fmt: skip


FILES = "SELECT pg_relation_filenode('t'), pg_relation_filenode('ix')"


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.sample(2)
def test_it_is_known_what_is_written_anew(any_database, zone: str) -> None:
    """Every pair of types that can be cast, against what PostgreSQL does; what is not known counts as a rewrite."""
    wrong, seen = [], 0
    with any_database.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        for old in TYPES:
            for new in TYPES:
                before, after = (kind.compile(dialect=postgresql.dialect()) for kind in (old, new))
                connection.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (c {before}); CREATE INDEX ix ON t (c)")
                first, first_index = connection.execute(FILES).fetchone()
                try:
                    connection.execute(f"ALTER TABLE t ALTER c TYPE {after}")
                except psycopg.errors.DatatypeMismatch:
                    continue
                seen += 1
                second, second_index = connection.execute(FILES).fetchone()
                if (second != first) is not rewrites(old, new, utc=zone == "UTC"):
                    wrong.append((before, after, second != first))
                elif second == first and (second_index == first_index) is not keeps_indexes(old, new):
                    wrong.append((before, after, "index", second_index != first_index))
    assert seen > 200
    assert wrong == []


BEFORE = f"""
t = Table("t", metadata, {ID}, Column("pages", Integer, nullable=False, server_default="7", comment="how large"),
    Column("word", String(50)), Column("Odd One", Numeric(8, 2)), Column("kept", Integer, index=True),
    Column("motto", String(50), server_default="it's: 5%"))
"""
AFTER = f"""
t = Table("t", metadata, {ID}, Column("pages", BigInteger, nullable=False, server_default="7", comment="how large"),
    Column("word", String(20), nullable=False), Column("Odd One", Numeric(8, 3)),
    Column("kept", BigInteger, index=True), Column("motto", String(20), server_default="it's: 5%"))
"""


SUMS = 'SELECT sum(pages), max(word), sum("Odd One") FROM t'


@pytest.mark.long
@pytest.mark.sample(4)
@pytest.mark.parametrize("split", ["auto", "never"])
def test_a_second_column_takes_the_place(make_project, new_database, old_database, split: str) -> None:
    for database in (new_database(), old_database):
        project = make_project(database=database)
        project.ini.write_text(project.ini.read_text().replace("[pgpatterns]", f"[pgpatterns]\nsplit = {split}"))
        project.models(BEFORE)
        project.revise("start")
        project.alembic("upgrade", "head")
        start = project.alembic("heads").split()[0]
        project.database.execute("INSERT INTO t SELECT g, g, 'w' || g, g / 2.0, g FROM generate_series(1, 100) g")
        before = project.snapshot()
        project.models(AFTER)
        files = project.revise("types")
        text = "".join(files)
        assert text.count("# pgpatterns: table-rewrite: with a second column") >= 4
        assert "does not write these stages" not in text
        schemas = [before]
        for _ in files:
            project.alembic("upgrade", "+1")
            schemas.append(project.snapshot())
            project.alembic("downgrade", "-1")
            project.alembic("upgrade", "+1")
            assert names(project.snapshot()) == names(schemas[-1])
        assert project.clean()
        with project.database.connect() as connection:
            assert connection.execute(SUMS).fetchone() == (5050, "w99", 2525)
        assert not [row for row in schemas[-1]["columns"] if row[1].endswith("_new")]
        project.alembic("downgrade", start)
        assert project.snapshot() == before
        with project.database.connect() as connection:
            assert connection.execute(SUMS).fetchone() == (5050, "w99", 2525)
            assert connection.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal").fetchone() == (0,)
            ours = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            assert connection.execute(ours).fetchone() == (0,)


def names(schema: dict) -> dict:
    """The schema, valid or not."""
    return {**schema, "constraints": sorted({row[:3] for row in schema["constraints"]})}


def test_rows_written_between_the_files_are_in_both_columns(make_project) -> None:
    project = make_project()
    project.models(BEFORE)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.database.execute("INSERT INTO t (id, pages) VALUES (1, 1)")
    project.models(AFTER.replace("String(20), nullable=False", "String(20)"))
    project.revise("types")
    project.alembic("upgrade", "+1")
    project.database.execute("INSERT INTO t (id, pages) VALUES (2, 2); UPDATE t SET pages = 10 WHERE id = 1")
    with project.database.connect() as connection:
        assert connection.execute("SELECT id, pages_new FROM t ORDER BY id").fetchall() == [(1, 10), (2, 2)]
    project.alembic("upgrade", "head")
    with project.database.connect() as connection:
        assert connection.execute("SELECT id, pages FROM t ORDER BY id").fetchall() == [(1, 10), (2, 2)]
    assert project.clean()


def test_times_are_read_as_utc_in_every_session(make_project, new_database) -> None:
    """One column in one statement and one by a second column, because an index on it would be built again."""
    database = new_database()
    database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), 'Europe/Berlin'); END $$"
    )
    project = make_project(database=database)
    models = 't = Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("at", {0}), '
    models += 'Column("due", {0}, index=True))'
    project.models(models.format("DateTime"))
    project.revise("first")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    database.execute("INSERT INTO t (id, at, due) VALUES (1, '2024-07-01 12:00', '2024-07-01 12:00')")
    project.models(models.format("DateTime(timezone=True)"))
    files = project.revise("second")
    assert "due_new" in "".join(files) and "at_new" not in "".join(files)
    for text in ("".join(files), project.output):
        words = " ".join(text.replace("#", "").split())
        assert words.count("the times are read as UTC") == 2
    assert "The TimeZone of this database is another one" in project.output
    read = "SELECT (at AT TIME ZONE 'UTC')::text, (due AT TIME ZONE 'UTC')::text FROM t"
    for step, query in (("upgrade", read), ("downgrade", "SELECT at::text, due::text FROM t"), ("upgrade", read)):
        project.alembic(step, start if step == "downgrade" else "head")
        with database.connect() as connection:
            assert connection.execute(query).fetchall() == [("2024-07-01 12:00:00", "2024-07-01 12:00:00")]
    assert project.clean()
